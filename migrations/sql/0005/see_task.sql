-- What job p_job of worker p_worker saw of detached task p_task. Returns false, and keeps nothing, if the job is no longer
-- p_worker's. A task that has ended stays so. p_forgotten: nothing of it is left on its host, so its login is not needed.
-- Locks the job's row, then the task's.
CREATE OR REPLACE FUNCTION netpulse.see_task(
    p_worker bigint, p_job uuid, p_task uuid, p_state text, p_exit_status integer, p_log_size bigint,
    p_forgotten boolean) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT netpulse.holds_job(p_worker, p_job) THEN RETURN false; END IF;
    UPDATE netpulse.detached_task AS t
       SET state = CASE WHEN t.ended_at IS NULL THEN p_state ELSE t.state END,
           exit_status = coalesce(t.exit_status, p_exit_status),
           log_size = greatest(t.log_size, p_log_size),
           started_at = coalesce(t.started_at, clock_timestamp()),
           ended_at = coalesce(t.ended_at, CASE WHEN p_state <> 'running' THEN clock_timestamp() END),
           last_seen_at = clock_timestamp(),
           error = NULL,
           sealed = CASE WHEN NOT p_forgotten THEN t.sealed END
     WHERE t.id = p_task;
    RETURN true;
END
$$;
