-- Put a new template into the library. Returns its version, null if there is one of that name already.
-- A name that was removed goes on counting: `name@3` never means two texts.
-- Locks the template's row.
CREATE OR REPLACE FUNCTION netpulse.create_template(p_kind text, p_name text, p_text text, p_description text,
    p_sample text, p_by text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_version integer;
BEGIN
    INSERT INTO netpulse.template AS t (kind, name, version, description, sample)
    VALUES (p_kind, p_name, 1, coalesce(p_description, ''), coalesce(p_sample, ''))
        ON CONFLICT (kind, name) DO UPDATE
       SET version = t.version + 1, description = excluded.description, sample = excluded.sample,
           created_at = excluded.created_at, updated_at = excluded.updated_at, removed_at = NULL
     WHERE t.removed_at IS NOT NULL
    RETURNING t.version INTO v_version;
    IF FOUND THEN
        INSERT INTO netpulse.template_version (kind, name, version, text, created_by)
        VALUES (p_kind, p_name, v_version, p_text, p_by);
    END IF;
    RETURN v_version;
END
$$;
