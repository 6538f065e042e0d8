-- A detached task with a webhook has ended, whoever noticed that: tell of it once, in the same transaction, and hand the
-- sealed part over. Not before all of its log was told, as long as that can be read: its login is there, and the webhook
-- wants it. The trigger below calls this for tasks that have a webhook which was not told of the end only.
-- Locks, after the task's row, its row of webhook_secret.
CREATE FUNCTION netpulse.end_task_webhook() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_events jsonb := NEW.request -> 'options' -> 'webhook' -> 'events';
    v_bare boolean := coalesce(jsonb_typeof(v_events) = 'array' AND NOT v_events ? 'task.log', false);
    v_sealed bytea;
BEGIN
    IF NEW.sealed IS NOT NULL AND NEW.told_offset < NEW.log_size AND NOT v_bare THEN RETURN NEW; END IF;
    NEW.told_offset := NULL;
    DELETE FROM netpulse.webhook_secret AS s WHERE s.job_id = NEW.job_id RETURNING s.sealed INTO v_sealed;
    PERFORM netpulse.queue_task_event(NEW, 'task.ended', v_sealed, NULL);
    RETURN NEW;
END
$$;

CREATE TRIGGER task_webhook_due BEFORE UPDATE ON netpulse.detached_task FOR EACH ROW
    WHEN (NEW.ended_at IS NOT NULL AND NEW.told_offset IS NOT NULL) EXECUTE FUNCTION netpulse.end_task_webhook();
