-- Let what belongs to a job follow its end, whoever ended it. The trigger below calls this for transfers and detached
-- tasks only. Locks, after the job's row, its file's or its task's.
--
-- An uploaded file is needed no more; a download that is not whole by now never will be.
-- A task whose start surely did not reach the host has failed; one of which that is not known is looked at again. Where a
-- login was refused, nobody tries it again unasked: that locks accounts.
CREATE OR REPLACE FUNCTION netpulse.follow_job_end() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_refused boolean := NEW.error_type IN ('AuthenticationFailed', 'HostKeyMismatch', 'CredentialError');
    v_failed boolean := NEW.request -> 'task' ->> 'action' = 'start'
                        AND (v_refused OR NEW.attempts = 0 OR NEW.error_type IN ('Unreachable', 'CommandRejected'));
BEGIN
    IF NEW.operation <> 'task' THEN
        UPDATE netpulse.stored_file AS f
           SET state = CASE f.state WHEN 'growing' THEN 'broken' ELSE f.state END,
               expires_at = CASE WHEN f.direction = 'upload' OR f.state = 'growing' THEN NEW.ended_at ELSE f.expires_at END
         WHERE f.job_id = NEW.id;
    ELSIF NEW.state <> 'finished' THEN
        UPDATE netpulse.detached_task AS t
           SET error = NEW.error_type || ': ' || NEW.error_message,
               look_at = CASE WHEN NOT v_refused THEN greatest(t.look_at, NEW.ended_at + interval '1 minute') END,
               state = CASE WHEN v_failed THEN 'failed' ELSE t.state END,
               ended_at = CASE WHEN v_failed THEN NEW.ended_at ELSE t.ended_at END,
               sealed = CASE WHEN NOT v_failed THEN t.sealed END
         WHERE t.id = (NEW.request -> 'task' ->> 'id')::uuid AND t.sealed IS NOT NULL;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER job_end AFTER UPDATE OF state ON netpulse.job FOR EACH ROW
    WHEN (NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL AND NEW.operation IN ('upload', 'download', 'task'))
    EXECUTE FUNCTION netpulse.follow_job_end();
