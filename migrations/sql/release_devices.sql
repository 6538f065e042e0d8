-- Worker p_worker has closed its sessions on p_keys: those without a job may be placed anew. Returns how many it let go.
-- Locks those devices in key order; the second statement sees what the locks waited for.
CREATE OR REPLACE FUNCTION netpulse.release_devices(p_worker bigint, p_keys text[]) RETURNS integer
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan  -- see reroute_jobs
AS $$
DECLARE
    v_count integer;
BEGIN
    PERFORM FROM netpulse.device WHERE key = ANY (p_keys) AND worker_id = p_worker ORDER BY key FOR UPDATE;
    UPDATE netpulse.device AS d SET worker_id = NULL, epoch = d.epoch + 1
     WHERE d.key = ANY (p_keys) AND d.worker_id = p_worker
       AND NOT EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = d.key AND q.status IN ('todo', 'doing'));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
