-- Put running jobs p_ids back where they waited, without the outputs of the attempt that ended; one that somebody wanted
-- aborted ends as `cancelled` instead. Returns how many went back. The caller has made sure that none of them is a change
-- that may have begun, and holds their worker's row FOR UPDATE, so that nothing claims meanwhile.
-- Locks job rows by id, then queue rows.
CREATE OR REPLACE FUNCTION netpulse.requeue_jobs(p_ids uuid[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_ids uuid[] := ARRAY(
        SELECT j.id FROM netpulse.job AS j WHERE j.id = ANY (p_ids) AND j.state IN ('claimed', 'started')
         ORDER BY j.id FOR NO KEY UPDATE);
    v_queue_ids bigint[];
    v_cancelled uuid[];
    v_count integer;
BEGIN
    WITH called_off AS (
        SELECT j.id, j.queue_job_id FROM netpulse.job AS j WHERE j.id = ANY (v_ids) AND j.cancel_requested
    ), ended AS (
        UPDATE netpulse.job AS j
           SET state = 'cancelled', error_type = 'Cancelled', error_message = 'Cancelled; its worker was lost meanwhile.',
               outcome = 'known', ended_at = clock_timestamp(), sealed = NULL, queue_job_id = NULL
          FROM called_off AS c WHERE j.id = c.id
        RETURNING j.id, c.queue_job_id)
    SELECT array_agg(e.id), array_agg(e.queue_job_id) INTO v_cancelled, v_queue_ids FROM ended AS e;
    DELETE FROM procrastinate_jobs WHERE id = ANY (v_queue_ids);
    PERFORM netpulse.announce('netpulse_job_ended', v_cancelled);

    WITH back AS (
        UPDATE netpulse.job AS j
           SET state = 'queued', worker_id = NULL, worker = NULL, epoch = NULL, started_at = NULL
         WHERE j.id = ANY (v_ids) AND j.state IN ('claimed', 'started')
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
