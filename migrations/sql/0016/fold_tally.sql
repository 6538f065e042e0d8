-- Add up to p_limit rows of job_tally to job_total and job_minute; returns how many. Minutes older than a day go.
-- Whoever reads the sum of both in one statement counts each job once: this is one transaction.
-- Locks those rows of job_tally, skipping locked ones, then the rows of job_total and job_minute.
CREATE FUNCTION netpulse.fold_tally(p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
BEGIN
    DELETE FROM netpulse.job_minute WHERE minute < now() - interval '1 day';
    WITH taken AS (
        DELETE FROM netpulse.job_tally AS t WHERE t.id = ANY (ARRAY(
               SELECT o.id FROM netpulse.job_tally AS o ORDER BY o.id LIMIT p_limit FOR UPDATE SKIP LOCKED))
        RETURNING t.at, t.state, t.ended, t.removed
    ), totals AS (
        INSERT INTO netpulse.job_total AS t (state, ended, removed)
        SELECT n.state, sum(n.ended), sum(n.removed) FROM taken AS n GROUP BY n.state ORDER BY n.state
            ON CONFLICT (state) DO UPDATE SET ended = t.ended + excluded.ended, removed = t.removed + excluded.removed
    ), minutes AS (
        INSERT INTO netpulse.job_minute AS m (minute, state, ended)
        SELECT date_trunc('minute', n.at), n.state, sum(n.ended) FROM taken AS n
         WHERE n.ended > 0 GROUP BY 1, 2 ORDER BY 1, 2
            ON CONFLICT (minute, state) DO UPDATE SET ended = m.ended + excluded.ended
    )
    SELECT count(*) INTO v_count FROM taken;
    RETURN v_count;
END
$$;
