-- Wipe the logins of changes that can no longer be confirmed. Returns how many. Locks those job rows.
CREATE OR REPLACE FUNCTION netpulse.forget_unconfirmed() RETURNS integer
LANGUAGE sql VOLATILE AS $$
    WITH forgotten AS (
        UPDATE netpulse.job SET sealed = NULL
         WHERE sealed IS NOT NULL AND confirm_by IS NOT NULL AND confirm_by < clock_timestamp()
        RETURNING id)
    SELECT count(*)::integer FROM forgotten
$$;
