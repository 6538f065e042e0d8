-- Take the encrypted webhook out of a new job's request, which is kept for ever, and keep it aside until the job ends.
-- The trigger below calls this for jobs that have one only. Takes no locks but those of a new row.
CREATE OR REPLACE FUNCTION netpulse.keep_webhook_secret() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO netpulse.webhook_secret (job_id, sealed) VALUES (NEW.id, convert_to(NEW.request ->> 'sealed_webhook', 'UTF8'));
    NEW.request := NEW.request - 'sealed_webhook';
    RETURN NEW;
END
$$;

CREATE TRIGGER job_webhook BEFORE INSERT ON netpulse.job FOR EACH ROW WHEN (NEW.request ? 'sealed_webhook')
    EXECUTE FUNCTION netpulse.keep_webhook_secret();
