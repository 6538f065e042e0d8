-- End jobs of worker p_worker: state, error, outputs, queue rows and the waiters' notice in one transaction.
--
-- p_results: array of {id, state, error_type, error_message, outcome, session_reused, rendered, extra_attempts, difference,
-- rollback, confirm_in_s}. A change that waits to be confirmed keeps its login until then (forget_unconfirmed).
-- p_outputs: see save_outputs. Returns the ids that p_worker ended, by this call or by one before whose reply was lost;
-- the others were no longer its own (reaped meanwhile) and nothing of them is kept.
-- Locks job rows by id, then those that they confirm, then the queue rows.
CREATE OR REPLACE FUNCTION netpulse.finish_jobs(p_worker bigint, p_results jsonb, p_outputs jsonb) RETURNS uuid[]
LANGUAGE plpgsql AS $$
DECLARE
    v_done uuid[];
    v_queue_ids bigint[];
BEGIN
    WITH result AS (
        SELECT * FROM jsonb_to_recordset(p_results) AS r (
            id uuid, state text, error_type text, error_message text, outcome text, session_reused boolean,
            rendered text, extra_attempts integer, difference text, rollback text, confirm_in_s double precision)
    ), running AS (
        SELECT j.id, j.queue_job_id FROM netpulse.job AS j JOIN result AS r ON r.id = j.id
         WHERE j.worker_id = p_worker AND j.state IN ('claimed', 'started')
         ORDER BY j.id FOR NO KEY UPDATE OF j
    ), ended AS (
        UPDATE netpulse.job AS j
           SET state = r.state, error_type = r.error_type, error_message = r.error_message, outcome = r.outcome,
               session_reused = r.session_reused, rendered = r.rendered, attempts = j.attempts + r.extra_attempts,
               difference = r.difference, rollback = r.rollback, ended_at = clock_timestamp(), queue_job_id = NULL,
               confirm_by = clock_timestamp() + r.confirm_in_s * interval '1 second',
               sealed = CASE WHEN r.confirm_in_s IS NOT NULL THEN j.sealed END
          FROM running JOIN result AS r ON r.id = running.id
         WHERE j.id = running.id
        RETURNING j.id, running.queue_job_id, CASE WHEN j.operation = 'confirm' AND r.state = 'finished'
                                                   THEN (j.request ->> 'confirm')::uuid END AS confirms
    ), confirmed AS (
        UPDATE netpulse.job AS j SET confirmed_at = clock_timestamp(), sealed = NULL
          FROM ended AS e WHERE j.id = e.confirms
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
