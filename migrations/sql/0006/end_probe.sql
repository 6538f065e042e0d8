-- The attempt that was let through ended without a word on the login: the next one may try at once.
-- p_probe: what begin_login said. Locks the login's row.
CREATE OR REPLACE FUNCTION netpulse.end_probe(p_device text, p_login text, p_probe timestamptz) RETURNS void
LANGUAGE sql VOLATILE AS $$
    UPDATE netpulse.circuit SET opened_until = clock_timestamp()
     WHERE device_key = p_device AND login = p_login AND opened_until = p_probe
$$;
