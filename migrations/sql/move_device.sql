-- Let device p_key, which nobody needs, change to zone p_zone: its holder lets go of it, and is told. Returns false, and
-- changes nothing, if it has waiting or running jobs. The caller holds the device's row lock from an earlier statement.
CREATE OR REPLACE FUNCTION netpulse.move_device(p_key text, p_zone text) RETURNS boolean
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan  -- see reroute_jobs
AS $$
DECLARE
    v_holder bigint;
BEGIN
    IF EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = p_key AND q.status IN ('todo', 'doing')) THEN
        RETURN false;
    END IF;
    SELECT worker_id INTO v_holder FROM netpulse.device WHERE key = p_key;
    UPDATE netpulse.device SET zone = p_zone, worker_id = NULL, epoch = epoch + 1 WHERE key = p_key;
    IF v_holder IS NOT NULL THEN PERFORM netpulse.tell_to_release(v_holder, ARRAY[p_key]); END IF;
    RETURN true;
END
$$;
