-- The file that p_job downloads is whole: kept for p_retention_s seconds. Returns false if the job is no longer
-- p_worker's. Idempotent. Locks the job's row, then the file's.
CREATE OR REPLACE FUNCTION netpulse.complete_download(
    p_worker bigint, p_job uuid, p_sha256 text, p_retention_s double precision) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT netpulse.holds_job(p_worker, p_job) THEN RETURN false; END IF;
    UPDATE netpulse.stored_file
       SET state = 'whole', sha256 = p_sha256, expires_at = clock_timestamp() + p_retention_s * interval '1 second'
     WHERE job_id = p_job;
    RETURN true;
END
$$;
