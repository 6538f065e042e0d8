-- A job with a webhook has ended, whoever ended it: make its delivery due, in the same transaction, and hand the sealed
-- part over to it. The trigger below calls this for jobs that have a webhook only, and not for those that do something
-- about a detached task or confirm another job's change. Raises nothing, whatever a client of SQL put into a request: the
-- job's end matters more.
-- Locks, after the job's row, its row of webhook_secret.
CREATE OR REPLACE FUNCTION netpulse.queue_webhook() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_webhook jsonb := NEW.request -> 'options' -> 'webhook';
    v_event text := 'job.' || CASE NEW.state WHEN 'finished' THEN 'completed' ELSE NEW.state END;
    v_at timestamptz := clock_timestamp();
    v_sealed bytea;
BEGIN
    DELETE FROM netpulse.webhook_secret AS s WHERE s.job_id = NEW.id RETURNING s.sealed INTO v_sealed;
    IF jsonb_typeof(v_webhook -> 'events') = 'array' AND NOT v_webhook -> 'events' ? v_event THEN RETURN NULL; END IF;
    INSERT INTO netpulse.webhook_delivery (id, job_id, event_type, url, receiver, next_at, sealed, created_at)
    SELECT netpulse.uuid7(v_at), NEW.id, v_event, coalesce(u.origin || '/***', '***'), netpulse.receiver_of(u.origin),
           v_at, v_sealed, v_at
      FROM (SELECT substring(v_webhook ->> 'url' FROM '^https?://[^/?#@\\]+') AS origin) AS u;
    PERFORM pg_notify('netpulse_webhook', '');
    RETURN NULL;
END
$$;

CREATE TRIGGER job_webhook_due AFTER UPDATE OF state ON netpulse.job FOR EACH ROW
    WHEN (NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL AND NEW.operation NOT IN ('task', 'confirm')
          AND jsonb_typeof(NEW.request -> 'options' -> 'webhook') = 'object')
    EXECUTE FUNCTION netpulse.queue_webhook();
