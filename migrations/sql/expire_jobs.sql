-- End up to p_limit waiting jobs whose time to wait is over; returns how many. The device was not touched.
-- Locks queue rows that are `todo` (skipping those being claimed), then their job rows.
CREATE OR REPLACE FUNCTION netpulse.expire_jobs(p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_queue_ids bigint[];
    v_ids uuid[];
BEGIN
    SELECT array_agg(q.id) INTO v_queue_ids FROM (
        SELECT q.id FROM netpulse.job AS j JOIN procrastinate_jobs AS q ON q.id = j.queue_job_id
         WHERE j.state = 'queued' AND j.expires_at <= clock_timestamp() AND q.status = 'todo'
         ORDER BY j.expires_at LIMIT p_limit FOR UPDATE OF q SKIP LOCKED) AS q;
    WITH ended AS (
        UPDATE netpulse.job AS j
           SET state = 'failed', error_type = 'Expired', outcome = 'known', ended_at = clock_timestamp(),
               error_message = CASE j.attempts
                   WHEN 0 THEN 'No worker took the job within its time to live; the device was not touched.'
                   ELSE 'Its worker was lost, and no other took the job within its time to live.' END,
               sealed = NULL, queue_job_id = NULL
         WHERE j.queue_job_id = ANY (v_queue_ids) AND j.state = 'queued'
        RETURNING j.id)
    SELECT array_agg(e.id) INTO v_ids FROM ended AS e;
    DELETE FROM procrastinate_jobs WHERE id = ANY (v_queue_ids);
    PERFORM netpulse.announce('netpulse_job_ended', v_ids);
    RETURN coalesce(cardinality(v_ids), 0);
END
$$;
