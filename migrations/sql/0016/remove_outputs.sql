-- Retention: remove the outputs of jobs p_jobs, and the texts that only they had. The jobs stay. Returns the number of
-- outputs. The caller has seen that the jobs have ended and that nobody needs their outputs.
-- Locks the outputs, then texts, without waiting for those.
CREATE FUNCTION netpulse.remove_outputs(p_jobs uuid[]) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off  -- plans are kept: one made while the tables were small must be right when they are large
AS $$
DECLARE
    v_count integer;
    v_digests bytea[];
BEGIN
    WITH gone AS (DELETE FROM netpulse.job_output AS o WHERE o.job_id = ANY (p_jobs) RETURNING o.digest)
    SELECT count(*), array_agg(DISTINCT g.digest) INTO v_count, v_digests FROM gone AS g;
    PERFORM netpulse.remove_unused_texts(v_digests);
    RETURN v_count;
END
$$;
