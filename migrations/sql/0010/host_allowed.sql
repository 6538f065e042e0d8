-- Whether a key with these host patterns (see jobs/host_patterns.py, which follows the same rule) is for p_host: a name or
-- an address as normalised, which may have a scope (fe80::1%eth0). A pattern with a slash is a network; any other is a glob,
-- in which * stands for any text and ? for one character; one of digits and dots, such as 192.0.2.*, matches no names. Null patterns: every host; none: no host. Locks nothing.
CREATE FUNCTION netpulse.host_allowed(p_host text, p_patterns text[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_pattern text;
    v_address inet;
BEGIN
    IF p_patterns IS NULL THEN RETURN true; END IF;
    IF p_host ~ '^[0-9.]+$' OR p_host LIKE '%:%' THEN
        BEGIN
            v_address := split_part(p_host, '%', 1)::inet;
        EXCEPTION WHEN invalid_text_representation THEN
            NULL;  -- no address after all: one odd row must not fail the whole query
        END;
    END IF;
    FOREACH v_pattern IN ARRAY p_patterns LOOP
        IF v_pattern LIKE '%/%' THEN
            IF v_address <<= v_pattern::inet THEN RETURN true; END IF;
        ELSIF v_address IS NULL AND v_pattern ~ '^(?=.*[0-9])(?=.*\.)[0-9.*?]+$' THEN
            CONTINUE;
        ELSIF p_host LIKE translate(regexp_replace(v_pattern, '([\\%_])', '\\\1', 'g'), '*?', '%_') THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;
