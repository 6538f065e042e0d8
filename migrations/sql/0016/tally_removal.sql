-- Jobs have left the history, whoever removed them: count them, with one row for each state. Locks nothing.
CREATE FUNCTION netpulse.tally_removal() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO netpulse.job_tally (state, removed)
    SELECT g.state, count(*) FROM gone AS g WHERE g.ended_at IS NOT NULL GROUP BY g.state;
    RETURN NULL;
END
$$;

CREATE TRIGGER job_tally_removal AFTER DELETE ON netpulse.job REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
    EXECUTE FUNCTION netpulse.tally_removal();
