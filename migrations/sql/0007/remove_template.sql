-- Remove a template with all its versions; the name's row stays, so that a later one goes on counting.
-- Returns how many versions those were; 0: there is no such template.
-- Locks the template's row, then its versions.
CREATE OR REPLACE FUNCTION netpulse.remove_template(p_kind text, p_name text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
BEGIN
    UPDATE netpulse.template AS t SET removed_at = now(), description = '', sample = ''
     WHERE t.kind = p_kind AND t.name = p_name AND t.removed_at IS NULL;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    DELETE FROM netpulse.template_version AS v WHERE v.kind = p_kind AND v.name = p_name;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$;
