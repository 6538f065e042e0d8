-- A new version of a template; the same one if its text stays as it is. Description and sample: null leaves them.
-- Returns the version, null if there is no such template; `changed`: anything is different now.
-- Locks the template's row.
CREATE OR REPLACE FUNCTION netpulse.revise_template(p_kind text, p_name text, p_text text, p_description text,
    p_sample text, p_by text, OUT version integer, OUT changed boolean)
LANGUAGE plpgsql AS $$
DECLARE
    v_is_new boolean;
BEGIN
    SELECT t.version INTO version FROM netpulse.template AS t
     WHERE t.kind = p_kind AND t.name = p_name AND t.removed_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT v.text <> p_text INTO STRICT v_is_new FROM netpulse.template_version AS v
     WHERE v.kind = p_kind AND v.name = p_name AND v.version = revise_template.version;
    IF v_is_new THEN
        version := version + 1;
        INSERT INTO netpulse.template_version (kind, name, version, text, created_by)
        VALUES (p_kind, p_name, version, p_text, p_by);
    END IF;
    UPDATE netpulse.template AS t
       SET version = revise_template.version, description = coalesce(p_description, t.description),
           sample = coalesce(p_sample, t.sample), updated_at = now()
     WHERE t.kind = p_kind AND t.name = p_name
       AND (v_is_new OR p_description <> t.description OR p_sample <> t.sample);
    changed := FOUND;
END
$$;
