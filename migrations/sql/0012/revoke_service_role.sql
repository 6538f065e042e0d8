-- The role netpulse_app loses what it has in this database. It stays: it may have rights in others.
DO $$
DECLARE
    v_relation regclass;
BEGIN
    IF to_regrole('netpulse_app') IS NULL THEN
        RETURN;
    END IF;
    ALTER DEFAULT PRIVILEGES IN SCHEMA netpulse REVOKE ALL ON TABLES FROM netpulse_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA netpulse REVOKE ALL ON SEQUENCES FROM netpulse_app;
    ALTER DEFAULT PRIVILEGES IN SCHEMA netpulse REVOKE ALL ON FUNCTIONS FROM netpulse_app;
    FOR v_relation IN
        SELECT c.oid FROM pg_class AS c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname ^@ 'procrastinate_' AND c.relkind = 'r'
    LOOP
        EXECUTE format('REVOKE ALL ON %s FROM netpulse_app', v_relation);
    END LOOP;
    FOR v_relation IN
        SELECT c.oid FROM pg_class AS c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relname ^@ 'procrastinate_' AND c.relkind = 'S'
    LOOP
        EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM netpulse_app', v_relation);
    END LOOP;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA netpulse FROM netpulse_app;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA netpulse FROM netpulse_app;
    REVOKE ALL ON ALL TABLES IN SCHEMA netpulse FROM netpulse_app;
    REVOKE ALL ON SCHEMA netpulse, public FROM netpulse_app;
END
$$;
