-- Give the role netpulse_report the views of schema report, and nothing else; and the service's role the same, whose API
-- shows them. Makes the role where the caller may make roles. Elsewhere a NOTICE says what an administrator runs (CREATE
-- ROLE netpulse_report NOLOGIN), after which the owner of the schema calls this again. Returns true if both have theirs.
-- The views run with the rights of their owner: who may read them needs none on the tables.
CREATE OR REPLACE FUNCTION netpulse.grant_report_role() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_role text;
    v_all boolean := true;
BEGIN
    IF to_regrole('netpulse_report') IS NULL THEN
        BEGIN
            CREATE ROLE netpulse_report NOLOGIN;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;  -- another database of this cluster is migrated at this moment
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'the role netpulse_report is missing: CREATE ROLE netpulse_report NOLOGIN; '
                             'then SELECT netpulse.grant_report_role()';
        END;
    END IF;
    FOREACH v_role IN ARRAY ARRAY['netpulse_report', 'netpulse_app'] LOOP
        IF to_regrole(v_role) IS NULL THEN
            v_all := false;
        ELSE
            EXECUTE format('GRANT USAGE ON SCHEMA report TO %I', v_role);
            EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA report TO %I', v_role);
        END IF;
    END LOOP;
    RETURN v_all;
END
$$;

REVOKE EXECUTE ON FUNCTION netpulse.grant_report_role() FROM PUBLIC;
