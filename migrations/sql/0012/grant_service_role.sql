-- Give the role netpulse_app what API and worker need, and no more: it reads and adds audit events, but changes none.
-- Makes the role where the caller may make roles. Elsewhere a NOTICE says what an administrator runs (CREATE ROLE
-- netpulse_app NOLOGIN), after which the owner of the schema calls this again. Returns true if the role has its rights.
-- What later revisions make, the role gets by default privileges of the caller, who must be the one that migrates.
CREATE OR REPLACE FUNCTION netpulse.grant_service_role() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_relation regclass;
BEGIN
    IF to_regrole('netpulse_app') IS NULL THEN
        BEGIN
            CREATE ROLE netpulse_app NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this cluster is migrated at this moment
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'the role netpulse_app is missing: CREATE ROLE netpulse_app NOLOGIN; '
                             'then SELECT netpulse.grant_service_role()';
                RETURN false;
        END;
    END IF;
    GRANT USAGE ON SCHEMA netpulse, public TO netpulse_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA netpulse TO netpulse_app;
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA netpulse TO netpulse_app;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA netpulse TO netpulse_app;
    REVOKE EXECUTE ON FUNCTION netpulse.remove_audit_events(timestamptz, integer) FROM netpulse_app;
    REVOKE INSERT, UPDATE, DELETE ON netpulse.audit_event FROM netpulse_app;
    GRANT INSERT (at, actor, client, request_id, action, host, subject, allowed, reason, job_id, batch_id, detail)
       ON netpulse.audit_event TO netpulse_app;  -- not `id`: that is the order in which they came
    REVOKE INSERT, UPDATE, DELETE ON netpulse.alembic_version FROM netpulse_app;
    -- In `public` only what is procrastinate's: there may be others. Its functions are everybody's.
    FOR v_relation IN
        SELECT c.oid FROM pg_class AS c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname ^@ 'procrastinate_' AND c.relkind IN ('r', 'S')
    LOOP
        EXECUTE format(CASE (SELECT relkind FROM pg_class WHERE oid = v_relation)
                       WHEN 'S' THEN 'GRANT USAGE, SELECT ON SEQUENCE %s TO netpulse_app'
                       ELSE 'GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO netpulse_app' END, v_relation);
    END LOOP;
    ALTER DEFAULT PRIVILEGES IN SCHEMA netpulse GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO netpulse_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA netpulse GRANT USAGE, SELECT ON SEQUENCES TO netpulse_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA netpulse GRANT EXECUTE ON FUNCTIONS TO netpulse_app;
    RETURN true;
END
$$;

REVOKE EXECUTE ON FUNCTION netpulse.grant_service_role() FROM PUBLIC;
