-- A new version of a credential, its first one if there is none at the path. p_metadata: null leaves what is there.
-- Returns the version's number. Of the versions before, the latest nine are kept.
-- Locks the credential's row, then the versions that go.
CREATE OR REPLACE FUNCTION netpulse.store_credential(p_path text, p_sealed bytea, p_metadata jsonb, p_by text)
RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_version integer;
BEGIN
    INSERT INTO netpulse.credential AS c (path, current_version, custom_metadata)
    VALUES (p_path, 1, coalesce(p_metadata, '{}'))
        ON CONFLICT (path) DO UPDATE
       SET current_version = c.current_version + 1, custom_metadata = coalesce(p_metadata, c.custom_metadata),
           updated_at = clock_timestamp()
    RETURNING c.current_version INTO v_version;
    INSERT INTO netpulse.credential_version (path, version, sealed, created_by)
    VALUES (p_path, v_version, p_sealed, p_by);
    DELETE FROM netpulse.credential_version AS v WHERE v.path = p_path AND v.version <= v_version - 10;
    RETURN v_version;
END
$$;
