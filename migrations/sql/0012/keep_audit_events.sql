-- Trigger: audit events are never changed and never removed, by nobody, also where there is nothing to remove.
-- It lets through what remove_audit_events deletes: that is the table's owner by SECURITY DEFINER, and has said so in
-- this transaction. Whoever is not the owner can say so too, but is not the owner; and the owner needs no forgery, as
-- he could drop the trigger: who keeps the trail from the service runs it as another role than the owner.
CREATE OR REPLACE FUNCTION netpulse.keep_audit_events() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('netpulse.removes_audit_events', true) = 'yes'
       AND current_user = (SELECT pg_get_userbyid(c.relowner) FROM pg_class AS c WHERE c.oid = TG_RELID) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'audit events are never changed: % is refused', TG_OP
        USING ERRCODE = 'insufficient_privilege',
              HINT = 'netpulse.remove_audit_events removes those that are older than 90 days.';
END
$$;

CREATE TRIGGER audit_event_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON netpulse.audit_event
    FOR EACH STATEMENT EXECUTE FUNCTION netpulse.keep_audit_events();

-- Also where session_replication_role would switch triggers off.
ALTER TABLE netpulse.audit_event ENABLE ALWAYS TRIGGER audit_event_keep;
