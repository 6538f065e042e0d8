-- Retention: of the texts p_digests remove those that nothing refers to any more, neither an output nor a version of one.
-- Leaves alone what is younger than an hour (see save_outputs), and what somebody is just storing again. Returns how many
-- are gone. Locks the texts, without waiting; whoever wants to store one of them waits for the end of this transaction.
--
-- Two statements: the second one sees what was committed before the locks were there, and after them nobody can refer to
-- the texts. Of output_change, remove a row only when its successor (same device and command, next id) may go too or is
-- old enough itself, and never the newest of a command: output_latest has no reference of its own.
CREATE FUNCTION netpulse.remove_texts(p_digests bytea[]) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_locked bytea[] := ARRAY(
        SELECT t.digest FROM netpulse.output_text AS t
         WHERE t.digest = ANY (p_digests) AND t.first_seen_at < now() - interval '1 hour'
         ORDER BY t.digest FOR UPDATE SKIP LOCKED);
    v_count integer;
BEGIN
    DELETE FROM netpulse.output_text AS t
     WHERE t.digest = ANY (v_locked)
       AND NOT EXISTS (SELECT FROM netpulse.job_output AS o WHERE o.digest = t.digest)
       AND NOT EXISTS (SELECT FROM netpulse.output_change AS c WHERE c.digest = t.digest);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
