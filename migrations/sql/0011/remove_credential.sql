-- Remove a credential with all its versions. Returns whether there was one.
-- Locks the credential's row, then its versions.
CREATE OR REPLACE FUNCTION netpulse.remove_credential(p_path text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM netpulse.credential AS c WHERE c.path = p_path;
    RETURN FOUND;
END
$$;
