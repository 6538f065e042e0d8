-- Does p_worker still run p_job? Until the transaction ends nobody can take the job away. Locks the job's row FOR NO KEY
-- UPDATE, as the job's end does.
CREATE OR REPLACE FUNCTION netpulse.holds_job(p_worker bigint, p_job uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM netpulse.job
      WHERE id = p_job AND worker_id = p_worker AND state IN ('claimed', 'started') FOR NO KEY UPDATE;
    RETURN FOUND;
END
$$;
