-- Worker p_worker takes up to p_limit devices of its zone that have waiting jobs and no holder; returns how many.
-- Locks: the worker FOR KEY SHARE, then those devices, in key order, skipping the ones that somebody is submitting to.
CREATE OR REPLACE FUNCTION netpulse.adopt_devices(p_worker bigint, p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_zone text;
    v_key text;
    v_count integer := 0;
BEGIN
    SELECT zone INTO v_zone FROM netpulse.worker WHERE id = p_worker AND state = 'live' FOR KEY SHARE;
    IF NOT FOUND OR NOT EXISTS (
        SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = 'pinned:' || v_zone) THEN
        RETURN 0;
    END IF;
    FOR v_key IN
        SELECT d.key FROM netpulse.device AS d
         WHERE d.worker_id IS NULL AND d.zone = v_zone
           AND EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = d.key AND q.status = 'todo')
         ORDER BY d.key LIMIT p_limit FOR UPDATE OF d SKIP LOCKED
    LOOP
        PERFORM netpulse.place_device(v_key, v_zone, p_worker);
        v_count := v_count + 1;
    END LOOP;
    IF v_count > 0 THEN PERFORM netpulse.wake('w:' || p_worker); END IF;
    RETURN v_count;
END
$$;
