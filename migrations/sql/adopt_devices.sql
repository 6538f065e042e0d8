-- Worker p_worker takes up to p_limit devices of its zone that have waiting jobs and no holder; returns how many.
-- Locks: the worker FOR KEY SHARE, then those devices, in key order, skipping the ones that somebody is submitting to.
CREATE OR REPLACE FUNCTION netpulse.adopt_devices(p_worker bigint, p_limit integer) RETURNS integer
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan  -- see reroute_jobs
AS $$
DECLARE
    v_zone text;
    v_keys text[];
BEGIN
    SELECT zone INTO v_zone FROM netpulse.worker WHERE id = p_worker AND state = 'live' FOR KEY SHARE;
    IF NOT FOUND OR NOT EXISTS (
        SELECT FROM procrastinate_jobs WHERE status = 'todo' AND queue_name = 'pinned:' || v_zone) THEN
        RETURN 0;
    END IF;
    v_keys := ARRAY(
        SELECT d.key FROM netpulse.device AS d
         WHERE d.worker_id IS NULL AND d.zone = v_zone
           AND EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = d.key AND q.status = 'todo')
         ORDER BY d.key LIMIT p_limit FOR UPDATE OF d SKIP LOCKED);
    IF v_keys <> '{}' THEN
        UPDATE netpulse.device SET worker_id = p_worker, epoch = epoch + 1 WHERE key = ANY (v_keys);
        PERFORM netpulse.reroute_jobs(v_keys);
        PERFORM netpulse.wake('w:' || p_worker);
    END IF;
    RETURN cardinality(v_keys);
END
$$;
