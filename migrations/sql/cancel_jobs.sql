-- Cancel the waiting jobs that match every given (non-null) filter; with p_force also tell the workers to abort the
-- running ones, which end as `cancelled` when the device I/O has stopped. A job that has ended stays as it is.
--
-- Returns the jobs that it touched; `running`: asked of its worker, not done yet. The wish is kept in the job's row, as
-- the notice may get lost: the worker looks there too (requested_cancels).
-- Locks queue rows that are `todo`, then their job rows: the order in which claim_jobs takes them; then running job rows
-- by id, as finish_jobs and reap_worker do.
CREATE OR REPLACE FUNCTION netpulse.cancel_jobs(
    p_id uuid, p_host text, p_strategy text, p_batch uuid, p_force boolean)
RETURNS TABLE (id uuid, running boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_queue_ids bigint[];
    v_ids uuid[];
BEGIN
    SELECT array_agg(q.id) INTO v_queue_ids FROM (
        SELECT q.id FROM procrastinate_jobs AS q
          JOIN netpulse.job AS j ON j.queue_job_id = q.id
         WHERE q.status = 'todo' AND j.state = 'queued'
           AND (p_id IS NULL OR j.id = p_id) AND (p_host IS NULL OR j.host = p_host)
           AND (p_strategy IS NULL OR j.strategy = p_strategy) AND (p_batch IS NULL OR j.batch_id = p_batch)
         ORDER BY q.id FOR UPDATE OF q) AS q;
    WITH ended AS (
        UPDATE netpulse.job AS j
           SET state = 'cancelled', error_type = 'Cancelled', error_message = 'Cancelled while it waited.',
               outcome = 'known', ended_at = clock_timestamp(), sealed = NULL, queue_job_id = NULL
         WHERE j.queue_job_id = ANY (v_queue_ids) AND j.state = 'queued'
        RETURNING j.id)
    SELECT array_agg(e.id) INTO v_ids FROM ended AS e;
    DELETE FROM procrastinate_jobs WHERE procrastinate_jobs.id = ANY (v_queue_ids);
    PERFORM netpulse.announce('netpulse_job_ended', v_ids);
    RETURN QUERY SELECT u, false FROM unnest(v_ids) AS u ORDER BY u;

    IF p_force THEN
        v_ids := ARRAY(
            SELECT j.id FROM netpulse.job AS j
             WHERE j.state IN ('claimed', 'started')
               AND (p_id IS NULL OR j.id = p_id) AND (p_host IS NULL OR j.host = p_host)
               AND (p_strategy IS NULL OR j.strategy = p_strategy) AND (p_batch IS NULL OR j.batch_id = p_batch)
             ORDER BY j.id FOR NO KEY UPDATE);
        UPDATE netpulse.job AS j SET cancel_requested = true WHERE j.id = ANY (v_ids) AND NOT j.cancel_requested;
        RETURN QUERY
            SELECT j.id, true FROM netpulse.job AS j, LATERAL netpulse.wake('w:' || j.worker_id, 'cancel ' || j.id)
             WHERE j.id = ANY (v_ids) ORDER BY j.id;
    END IF;
END
$$;
