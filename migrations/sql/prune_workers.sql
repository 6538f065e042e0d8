-- Delete up to p_limit workers that have been dead for a week and ran nothing that is still in the history, such as those
-- of a crash loop; returns how many.
-- Locks those rows, skipping locked ones.
CREATE OR REPLACE FUNCTION netpulse.prune_workers(p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
BEGIN
    DELETE FROM netpulse.worker WHERE id = ANY (ARRAY(
        SELECT w.id FROM netpulse.worker AS w
         WHERE w.state = 'dead' AND w.died_at < clock_timestamp() - interval '7 days'
           AND NOT EXISTS (SELECT FROM netpulse.device AS d WHERE d.worker_id = w.id)
           AND NOT EXISTS (SELECT FROM netpulse.job AS j WHERE j.worker_id = w.id)
         ORDER BY w.died_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
