-- What is wrong on the surface of a body of POST /device/execute that comes by SQL; null: nothing. It never repeats a
-- value, only names of fields. The rest is validated by the worker.
CREATE OR REPLACE FUNCTION netpulse.request_fault(p_request jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    c_known CONSTANT text[] := '{driver,connection_args,credential_ref,command,config,driver_args,options}';
    c_options CONSTANT text[] := '{queue_strategy,ttl,execution_timeout,priority,retry,zone,dry_run,checks,rendering,'
                                 'parsing,rollback,record}';
    c_secrets CONSTANT jsonpath := '$.**?(@.type() == "object").keyvalue()?(@.value != null && @.key like_regex '
        '"(password|passphrase|secret|pkey|token)$" flag "i").key';
    v_options jsonb := p_request -> 'options';
    v_name text;
BEGIN
    IF jsonb_typeof(p_request) IS DISTINCT FROM 'object' THEN RETURN 'the request must be a JSON object'; END IF;
    SELECT k INTO v_name FROM jsonb_object_keys(p_request) AS k WHERE k <> ALL (c_known) ORDER BY k LIMIT 1;
    IF FOUND THEN
        RETURN format('%s: unknown field; known here: %s', left(v_name, 64), array_to_string(c_known, ', '));
    END IF;
    IF jsonb_typeof(p_request -> 'driver') IS DISTINCT FROM 'string' THEN RETURN 'driver: must be the name of one'; END IF;
    IF jsonb_typeof(p_request -> 'connection_args') IS DISTINCT FROM 'object' THEN
        RETURN 'connection_args: must be an object';
    END IF;
    IF jsonb_typeof(p_request -> 'driver_args') <> 'object' THEN RETURN 'driver_args: must be an object'; END IF;
    IF jsonb_typeof(v_options) <> 'object' THEN RETURN 'options: must be an object'; END IF;
    SELECT k INTO v_name FROM jsonb_object_keys(v_options) AS k WHERE k <> ALL (c_options) ORDER BY k LIMIT 1;
    IF FOUND THEN
        RETURN format('options.%s: unknown; known here: %s', left(v_name, 64), array_to_string(c_options, ', '));
    END IF;
    v_name := jsonb_path_query_first(jsonb_build_array(
        p_request -> 'connection_args', p_request -> 'driver_args'), c_secrets) #>> '{}';
    IF v_name IS NOT NULL THEN
        RETURN format('%s: secrets stay out of SQL; keep the login as a credential, and name that by credential_ref', v_name);
    END IF;
    IF (p_request ->> 'command' IS NULL) = (p_request ->> 'config' IS NULL) THEN
        RETURN 'exactly one of command and config is needed';
    END IF;
    IF jsonb_typeof(p_request -> 'credential_ref') NOT IN ('string', 'object') THEN
        RETURN 'credential_ref: must be a path, or an object that has one';
    END IF;
    IF coalesce(v_options ->> 'queue_strategy', 'fifo') NOT IN ('fifo', 'pinned') THEN
        RETURN 'options.queue_strategy: must be fifo or pinned';
    END IF;
    IF coalesce(v_options ->> 'zone', 'default') !~ '^[a-z0-9_-]{1,30}$' THEN
        RETURN 'options.zone: must be 1 to 30 of a-z 0-9 _ and -';
    END IF;
    SELECT format('%s: must be a %s from %s to %s', o.name, CASE WHEN o.whole THEN 'whole number' ELSE 'number' END,
                  o.least, o.most) INTO v_name
      FROM (VALUES ('options.ttl', v_options -> 'ttl', 0.001, 604800, false),
                   ('options.execution_timeout', v_options -> 'execution_timeout', 0.001, 86400, false),
                   ('options.priority', v_options -> 'priority', -1000, 1000, true),
                   ('options.retry', v_options -> 'retry', 0, 10, true),
                   ('connection_args.port', nullif(p_request #> '{connection_args,port}', 'null'), 1, 65535, true)
           ) AS o (name, value, least, most, whole)
     WHERE o.value IS NOT NULL
       AND CASE jsonb_typeof(o.value)
           WHEN 'number' THEN o.value::numeric NOT BETWEEN o.least AND o.most OR o.whole AND o.value::numeric % 1 <> 0
           ELSE true END
     LIMIT 1;
    RETURN v_name;
END
$$;
