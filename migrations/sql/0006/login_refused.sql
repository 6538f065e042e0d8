-- Count a refused login; the p_limit-th in a row lets it rest for p_rest_s seconds. Returns until when, null if it does not.
-- Forgets, on the way, the logins that were last refused 30 days ago: nobody tries them any more.
-- Locks the login's row, then rows that nobody else has locked.
CREATE OR REPLACE FUNCTION netpulse.login_refused(p_device text, p_login text, p_username text, p_limit integer,
    p_rest_s double precision) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    v_until timestamptz;
BEGIN
    INSERT INTO netpulse.circuit AS c (device_key, login, username, failures, opened_until, last_failure_at)
    VALUES (p_device, p_login, p_username, 1,
            CASE WHEN p_limit <= 1 THEN clock_timestamp() + make_interval(secs => p_rest_s) END, clock_timestamp())
        ON CONFLICT (device_key, login) DO UPDATE
       SET failures = c.failures + 1, last_failure_at = clock_timestamp(),
           opened_until = CASE WHEN c.failures + 1 >= p_limit
                               THEN clock_timestamp() + make_interval(secs => p_rest_s) END
    RETURNING c.opened_until INTO v_until;
    DELETE FROM netpulse.circuit AS c USING (
        SELECT o.device_key, o.login FROM netpulse.circuit AS o
         WHERE o.last_failure_at < clock_timestamp() - interval '30 days' FOR UPDATE SKIP LOCKED) AS old
     WHERE c.device_key = old.device_key AND c.login = old.login;
    RETURN v_until;
END
$$;
