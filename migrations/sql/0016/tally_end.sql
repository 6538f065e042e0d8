-- A job has ended, whoever ended it: count it. A row of its own, which fold_tally adds up later: a counter that every end
-- had to lock would let them wait for each other. The trigger below calls this for ends only. Locks nothing.
CREATE FUNCTION netpulse.tally_end() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO netpulse.job_tally (state, ended) VALUES (NEW.state, 1);
    RETURN NULL;
END
$$;

CREATE TRIGGER job_tally_end AFTER UPDATE OF state ON netpulse.job FOR EACH ROW
    WHEN (NEW.ended_at IS NOT NULL AND OLD.ended_at IS NULL)
    EXECUTE FUNCTION netpulse.tally_end();
