-- Put running jobs p_ids back where they waited, without the outputs of the attempt that ended. The caller holds
-- their worker's row FOR UPDATE, so that nothing claims or finishes meanwhile. Locks job rows, then queue rows.
CREATE OR REPLACE FUNCTION netpulse.requeue_jobs(p_ids uuid[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
BEGIN
    WITH back AS (
        UPDATE netpulse.job AS j
           SET state = 'queued', worker_id = NULL, worker = NULL, epoch = NULL, started_at = NULL
         WHERE j.id = ANY (p_ids) AND j.state IN ('claimed', 'started')
        RETURNING j.id, j.queue_job_id
    ), emptied AS (
        DELETE FROM netpulse.job_output AS o USING back WHERE o.job_id = back.id
    )
    UPDATE procrastinate_jobs AS q SET status = 'todo', worker_id = NULL
      FROM back WHERE q.id = back.queue_job_id AND q.status = 'doing';
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
