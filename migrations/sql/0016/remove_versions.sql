-- Retention: remove versions of outputs, rows of output_change, and the texts that only they had; returns how many.
-- The caller has seen that each has a successor. Locks the versions, then texts, without waiting for those.
CREATE FUNCTION netpulse.remove_versions(p_ids bigint[]) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off  -- plans are kept: one made while the tables were small must be right when they are large
AS $$
DECLARE
    v_count integer;
    v_digests bytea[];
BEGIN
    WITH gone AS (DELETE FROM netpulse.output_change AS c WHERE c.id = ANY (p_ids) RETURNING c.digest)
    SELECT count(*), array_agg(DISTINCT g.digest) INTO v_count, v_digests FROM gone AS g;
    PERFORM netpulse.remove_unused_texts(v_digests);
    RETURN v_count;
END
$$;
