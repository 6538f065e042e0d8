-- Tell the workers to abort the running jobs that match every given (non-null) filter; returns their ids. p_hosts: host
-- patterns of a key, see host_allowed. The jobs end as `cancelled` when the device I/O has stopped. The wish is kept in the
-- job's row, as the notice may get lost: the worker looks there too (requested_cancels).
-- Locks job rows by id, as finish_jobs and reap_worker do.
CREATE FUNCTION netpulse.abort_jobs(
    p_id uuid, p_host text, p_strategy text, p_batch uuid, p_hosts text[] DEFAULT NULL, p_operations text[] DEFAULT NULL)
RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_ids uuid[] := ARRAY(
        SELECT j.id FROM netpulse.job AS j
         WHERE j.state IN ('claimed', 'started')
           AND (p_id IS NULL OR j.id = p_id) AND (p_host IS NULL OR j.host = p_host)
           AND (p_strategy IS NULL OR j.strategy = p_strategy) AND (p_batch IS NULL OR j.batch_id = p_batch)
           AND (p_operations IS NULL OR j.operation = ANY (p_operations))
           AND (p_hosts IS NULL OR netpulse.host_allowed(j.host, p_hosts))
         ORDER BY j.id FOR NO KEY UPDATE);
BEGIN
    UPDATE netpulse.job AS j SET cancel_requested = true WHERE j.id = ANY (v_ids) AND NOT j.cancel_requested;
    PERFORM netpulse.wake('w:' || j.worker_id, 'cancel ' || j.id) FROM netpulse.job AS j WHERE j.id = ANY (v_ids);
    RETURN QUERY SELECT u FROM unnest(v_ids) AS u ORDER BY u;
END
$$;
