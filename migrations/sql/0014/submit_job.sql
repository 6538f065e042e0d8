-- Queue one job, for SQL clients and pg_cron; returns its id. p_request is the body of POST /device/execute, with
-- credential_ref in place of a login. Raises 22023 (invalid_parameter_value), with a sentence, for what is wrong on the
-- surface, passwords above all; what only a driver knows the worker finds, and the job fails with InvalidRequest.
-- The job is submitted by `sql:` and the session's user. Locks what submit_jobs does.
CREATE OR REPLACE FUNCTION netpulse.submit_job(p_request jsonb) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_request jsonb := CASE jsonb_typeof(p_request) WHEN 'object' THEN coalesce((
        SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(p_request) AS e WHERE e.value <> 'null'), '{}')
        ELSE p_request END;
    v_login jsonb := v_request -> 'connection_args';
    v_options jsonb := coalesce(v_request -> 'options', '{}');
    v_ref jsonb;
    v_operation text;
    v_host text;
    v_port integer;
    v_fault text;
    v_answer record;
BEGIN
    IF jsonb_typeof(v_login) = 'object' AND v_login ? 'credential_ref' AND NOT v_request ? 'credential_ref' THEN
        v_request := jsonb_set(v_request, '{credential_ref}', v_login -> 'credential_ref') #- '{connection_args,credential_ref}';
        v_login := v_login - 'credential_ref';
    END IF;
    v_fault := netpulse.request_fault(v_request);
    IF v_fault IS NULL THEN
        v_host := netpulse.plain_host(coalesce(v_login ->> 'host', v_login ->> 'ip', v_login ->> 'hostname'));
        v_port := coalesce((v_login ->> 'port')::integer, netpulse.default_port(v_request ->> 'driver', v_login));
        v_fault := CASE WHEN v_host IS NULL THEN 'connection_args.host: must be a host name or an IP address'
                        WHEN v_port IS NULL THEN 'connection_args.port: needed for this driver' END;
    END IF;
    IF v_fault IS NOT NULL THEN RAISE EXCEPTION USING MESSAGE = v_fault, ERRCODE = '22023'; END IF;

    v_operation := CASE WHEN v_request ? 'command' THEN 'command' ELSE 'config' END;
    IF jsonb_typeof(v_request -> v_operation) = 'string' AND NOT v_options ? 'rendering' THEN  -- else it is a template
        v_request := v_request || jsonb_build_object(v_operation, CASE v_operation
            WHEN 'command' THEN jsonb_build_array(v_request -> v_operation)
            ELSE (SELECT coalesce(jsonb_agg(l.line ORDER BY l.place), '[]')
                    FROM regexp_split_to_table(v_request ->> v_operation, E'\r?\n') WITH ORDINALITY AS l (line, place)
                   WHERE l.line ~ '\S') END);
    END IF;
    v_ref := v_request -> 'credential_ref';
    IF jsonb_typeof(v_ref) = 'string' THEN
        v_request := v_request || jsonb_build_object('credential_ref', jsonb_build_object('path', v_ref));
    END IF;
    SELECT * INTO v_answer FROM netpulse.submit_jobs(jsonb_build_array(jsonb_build_object(
        'driver', v_request -> 'driver', 'operation', v_operation, 'host', v_host, 'port', v_port,
        'device_key', format(CASE WHEN v_host LIKE '%:%' THEN '[%s]:%s' ELSE '%s:%s' END, v_host, v_port),
        'zone', coalesce(v_options ->> 'zone', 'default'),
        'strategy', coalesce(v_options ->> 'queue_strategy',
                             CASE WHEN v_request ->> 'driver' IN ('pyeapi', 'paramiko') THEN 'fifo' ELSE 'pinned' END),
        'priority', coalesce(v_options -> 'priority', '0'), 'ttl_s', coalesce(v_options -> 'ttl', '300'),
        'execution_timeout_s', coalesce(v_options -> 'execution_timeout', '300'),
        'max_attempts', 1 + coalesce((v_options ->> 'retry')::integer, 0), 'submitted_by', 'sql:' || session_user,
        'request', v_request)));
    IF v_answer.held_in IS NOT NULL THEN
        RAISE EXCEPTION '% has jobs in the zone %; wait for their end, or ask in that zone', v_host, v_answer.held_in
              USING ERRCODE = '22023';
    END IF;
    RETURN v_answer.id;
END
$$;
