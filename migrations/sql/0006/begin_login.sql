-- May this login be tried? One row: `resting_until` is null if it may, else the time until which it rests.
--   failures  refusals in a row so far
--   probe     not null: the rest is over, and this is the one attempt that is let through. The others rest on until it
--             has ended; should nobody hear how, for p_rest_s seconds from now. It is what `end_probe` wants.
-- Locks the login's row, where a rest is over.
CREATE OR REPLACE FUNCTION netpulse.begin_login(p_device text, p_login text, p_rest_s double precision,
    OUT resting_until timestamptz, OUT failures integer, OUT probe timestamptz)
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE netpulse.circuit AS c SET opened_until = clock_timestamp() + make_interval(secs => p_rest_s)
     WHERE c.device_key = p_device AND c.login = p_login AND c.opened_until <= clock_timestamp()
    RETURNING c.failures, c.opened_until INTO failures, probe;
    IF NOT FOUND THEN
        SELECT c.failures, c.opened_until INTO failures, resting_until FROM netpulse.circuit AS c
         WHERE c.device_key = p_device AND c.login = p_login;
    END IF;
END
$$;
