-- The change p_job is about to be written to its device by p_worker. Returns false if the job is no longer p_worker's:
-- then nothing may be written. From here on a dead worker means `WorkerLost`; before, the job is queued again.
-- Idempotent, as its reply may get lost. Locks the job's row. Durable before the first byte goes out, whatever the role's
-- setting.
CREATE OR REPLACE FUNCTION netpulse.start_job(p_worker bigint, p_job uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off';
    UPDATE netpulse.job SET state = 'started'
     WHERE id = p_job AND worker_id = p_worker AND state IN ('claimed', 'started');
    RETURN FOUND;
END
$$;
