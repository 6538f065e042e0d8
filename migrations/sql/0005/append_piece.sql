-- Keep one more sealed piece of the file that p_job downloads: p_size bytes from p_first_byte on, the end of the file so
-- far. Returns false, and keeps nothing, if the job is no longer p_worker's. Idempotent. Locks the job's row, then the file's.
CREATE OR REPLACE FUNCTION netpulse.append_piece(
    p_worker bigint, p_job uuid, p_first_byte bigint, p_size integer, p_data bytea) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid;
BEGIN
    IF NOT netpulse.holds_job(p_worker, p_job) THEN RETURN false; END IF;
    UPDATE netpulse.stored_file SET size_bytes = p_first_byte + p_size WHERE job_id = p_job RETURNING id INTO v_id;
    INSERT INTO netpulse.file_piece AS p (file_id, first_byte, data) VALUES (v_id, p_first_byte, p_data)
        ON CONFLICT (file_id, first_byte) DO UPDATE SET data = excluded.data;
    RETURN true;
END
$$;
