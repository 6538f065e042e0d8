-- Retention: remove the oldest events, at most p_most, of those before p_before, and put that on record. Returns how
-- many; call it again until it is fewer than p_most. Refuses to touch what is younger than 90 days.
-- Runs as the table's owner, and only he may call it until he grants it. Locks the rows that it deletes; two calls at
-- once remove no row twice.
CREATE OR REPLACE FUNCTION netpulse.remove_audit_events(p_before timestamptz, p_most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_count bigint;
BEGIN
    IF p_before IS NULL OR p_before > clock_timestamp() - interval '90 days' THEN
        RAISE EXCEPTION 'audit events are kept for 90 days at least'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Give an earlier p_before.';
    END IF;
    PERFORM set_config('netpulse.removes_audit_events', 'yes', true);
    DELETE FROM netpulse.audit_event AS a USING (
        SELECT o.id FROM netpulse.audit_event AS o
         WHERE o.at < p_before ORDER BY o.at LIMIT p_most FOR UPDATE SKIP LOCKED) AS old
     WHERE a.id = old.id;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('netpulse.removes_audit_events', '', true);
    IF v_count > 0 THEN
        INSERT INTO netpulse.audit_event (action, allowed, detail) VALUES ('retention', true,
            jsonb_build_object('removed', v_count, 'before', p_before, 'role', session_user));
    END IF;
    RETURN v_count;
END
$$;

REVOKE EXECUTE ON FUNCTION netpulse.remove_audit_events(timestamptz, integer) FROM PUBLIC;
