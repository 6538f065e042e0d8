-- Drop what was kept of the file that p_job downloads. Returns false, and drops nothing, if the job is no longer
-- p_worker's. Locks the job's row, then the file's and its pieces.
CREATE OR REPLACE FUNCTION netpulse.clear_download(p_worker bigint, p_job uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT netpulse.holds_job(p_worker, p_job) THEN RETURN false; END IF;
    UPDATE netpulse.stored_file SET size_bytes = 0, sha256 = NULL, state = 'growing', expires_at = NULL
     WHERE job_id = p_job;
    DELETE FROM netpulse.file_piece AS p USING netpulse.stored_file AS f WHERE f.job_id = p_job AND p.file_id = f.id;
    RETURN true;
END
$$;
