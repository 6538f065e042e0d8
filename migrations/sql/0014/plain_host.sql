-- A device's name or address in the one spelling that jobs have; null: it is neither.
CREATE OR REPLACE FUNCTION netpulse.plain_host(p_host text) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_host text := rtrim(lower(btrim(p_host, ' []')), '.');
BEGIN
    IF v_host LIKE '%:%' OR v_host ~ '^[0-9.]+$' THEN RETURN host(v_host::inet); END IF;
    IF length(v_host) <= 253 AND v_host ~ '^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$' THEN RETURN v_host; END IF;
    RETURN NULL;
EXCEPTION
    WHEN invalid_text_representation THEN RETURN NULL;
END
$$;
