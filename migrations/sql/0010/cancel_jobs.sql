-- Cancel the waiting jobs that match every given (non-null) filter; returns their ids. p_hosts: host patterns of a key,
-- see host_allowed. What has ended or runs stays as it is: for that there is abort_jobs, in a transaction of its own, since
-- it locks in another order.
-- Locks queue rows that are `todo`, then their job rows: the order in which claim_jobs takes them.
CREATE FUNCTION netpulse.cancel_jobs(
    p_id uuid, p_host text, p_strategy text, p_batch uuid, p_hosts text[] DEFAULT NULL, p_operations text[] DEFAULT NULL)
RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
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
           AND (p_operations IS NULL OR j.operation = ANY (p_operations))
           AND (p_hosts IS NULL OR netpulse.host_allowed(j.host, p_hosts))
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
    RETURN QUERY SELECT u FROM unnest(v_ids) AS u ORDER BY u;
END
$$;
