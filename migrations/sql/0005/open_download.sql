-- The file that p_job downloads into, made at the first attempt; null if the job is no longer p_worker's.
-- Locks the job's row.
CREATE OR REPLACE FUNCTION netpulse.open_download(p_worker bigint, p_job uuid, p_name text) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid;
BEGIN
    IF NOT netpulse.holds_job(p_worker, p_job) THEN RETURN NULL; END IF;
    SELECT f.id INTO v_id FROM netpulse.stored_file AS f WHERE f.job_id = p_job;
    IF NOT FOUND THEN
        INSERT INTO netpulse.stored_file (id, job_id, direction, name)
        VALUES (netpulse.uuid7(clock_timestamp()), p_job, 'download', p_name) RETURNING id INTO v_id;
    END IF;
    RETURN v_id;
END
$$;
