-- Drops every function of schema netpulse, and the type that one of them takes.
DO $$
DECLARE
    v_function regprocedure;
BEGIN
    FOR v_function IN SELECT oid FROM pg_proc WHERE pronamespace = 'netpulse'::regnamespace LOOP
        EXECUTE format('DROP FUNCTION %s CASCADE', v_function);
    END LOOP;
END
$$;
DROP TYPE netpulse.new_job;
