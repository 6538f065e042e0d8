-- End jobs of worker p_worker: state, error, outputs, queue rows and the waiters' notice in one transaction.
--
-- p_results: array of {id, state, error_type, error_message, outcome, session_reused, rendered, extra_attempts}.
-- p_outputs: see save_outputs. Returns the ids that p_worker ended, by this call or by one before whose reply was lost;
-- the others were no longer its own (reaped meanwhile) and nothing of them is kept.
-- Locks job rows by id, then their queue rows.
CREATE OR REPLACE FUNCTION netpulse.finish_jobs(p_worker bigint, p_results jsonb, p_outputs jsonb) RETURNS uuid[]
LANGUAGE plpgsql AS $$
DECLARE
    v_done uuid[];
    v_queue_ids bigint[];
BEGIN
    WITH result AS (
        SELECT * FROM jsonb_to_recordset(p_results) AS r (
            id uuid, state text, error_type text, error_message text, outcome text, session_reused boolean,
            rendered text, extra_attempts integer)
    ), running AS (
        SELECT j.id, j.queue_job_id FROM netpulse.job AS j JOIN result AS r ON r.id = j.id
         WHERE j.worker_id = p_worker AND j.state IN ('claimed', 'started')
         ORDER BY j.id FOR NO KEY UPDATE OF j
    ), ended AS (
        UPDATE netpulse.job AS j
           SET state = r.state, error_type = r.error_type, error_message = r.error_message, outcome = r.outcome,
               session_reused = r.session_reused, rendered = r.rendered, attempts = j.attempts + r.extra_attempts,
               ended_at = clock_timestamp(), sealed = NULL, queue_job_id = NULL
          FROM running JOIN result AS r ON r.id = running.id
         WHERE j.id = running.id
        RETURNING j.id, running.queue_job_id
    )
    SELECT coalesce(array_agg(e.id), '{}'), array_agg(e.queue_job_id) INTO v_done, v_queue_ids FROM ended AS e;

    PERFORM netpulse.save_outputs(coalesce(jsonb_agg(o), '[]'))
       FROM jsonb_array_elements(p_outputs) AS o WHERE (o ->> 'job_id')::uuid = ANY (v_done);
    DELETE FROM procrastinate_jobs WHERE id = ANY (v_queue_ids);
    PERFORM netpulse.announce('netpulse_job_ended', v_done);
    RETURN v_done || ARRAY(  -- a reaper ends jobs as WorkerLost, which no worker says of its own
        SELECT j.id FROM netpulse.job AS j JOIN jsonb_to_recordset(p_results) AS r (id uuid, state text) ON r.id = j.id
         WHERE j.worker_id = p_worker AND j.state = r.state AND j.error_type IS DISTINCT FROM 'WorkerLost'
           AND j.id <> ALL (v_done));
END
$$;
