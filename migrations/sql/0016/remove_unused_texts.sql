-- Of the texts p_digests remove those to which nothing refers any more; returns how many. Those that are surely in use
-- are not even locked: jobs that end with the same text must not wait. For the others see remove_texts.
CREATE FUNCTION netpulse.remove_unused_texts(p_digests bytea[]) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off  -- plans are kept: one made while the tables were small must be right when they are large
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    RETURN netpulse.remove_texts(ARRAY(
        SELECT DISTINCT d.digest FROM unnest(p_digests) AS d (digest)
         WHERE d.digest IS NOT NULL
           AND NOT EXISTS (SELECT FROM netpulse.job_output AS o WHERE o.digest = d.digest)
           AND NOT EXISTS (SELECT FROM netpulse.output_change AS c WHERE c.digest = d.digest)));
END
$$;
