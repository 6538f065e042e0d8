-- Make a delivery due that tells the webhook of p_task's request of p_event, unless it does not want that: with p_sealed as
-- its sealed part, and p_said, the piece of the log that it brings. It is told in order with all others about this task,
-- as it goes by the job that started it; the caller has locked the task's row. Raises nothing, whatever a client of SQL
-- put into a request. Locks, FOR KEY SHARE, that job's row.
CREATE FUNCTION netpulse.queue_task_event(
    p_task netpulse.detached_task, p_event text, p_sealed bytea, p_said jsonb) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_webhook jsonb := p_task.request -> 'options' -> 'webhook';
    v_at timestamptz := clock_timestamp();
BEGIN
    IF jsonb_typeof(v_webhook -> 'events') = 'array' AND NOT v_webhook -> 'events' ? p_event THEN RETURN; END IF;
    INSERT INTO netpulse.webhook_delivery (id, job_id, event_type, url, receiver, next_at, sealed, said, created_at)
    SELECT netpulse.uuid7(v_at), j.id, p_event, coalesce(u.origin || '/***', '***'), netpulse.receiver_of(u.origin),
           v_at, p_sealed, p_said, v_at
      FROM (SELECT substring(v_webhook ->> 'url' FROM '^https?://[^/?#@\\]+') AS origin) AS u
      JOIN netpulse.job AS j ON j.id = p_task.job_id;
    PERFORM pg_notify('netpulse_webhook', '');
END
$$;
