-- What worker p_worker opened and closed since it last said so. p_opened: array of {id, device_key, host, driver,
-- username, opened_at}; p_closed: ids. Idempotent, as its reply may get lost. Returns false, and keeps nothing, if the
-- worker was declared dead. Locks the worker FOR KEY SHARE (against reaping, which removes its rows).
CREATE OR REPLACE FUNCTION netpulse.report_sessions(p_worker bigint, p_opened jsonb, p_closed uuid[]) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM netpulse.worker WHERE id = p_worker AND state <> 'dead' FOR KEY SHARE;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO netpulse.session (id, worker_id, device_key, host, driver, username, opened_at)
    SELECT o.id, p_worker, o.device_key, o.host, o.driver, o.username, o.opened_at
      FROM jsonb_populate_recordset(NULL::netpulse.session, p_opened) AS o
        ON CONFLICT (id) DO NOTHING;
    DELETE FROM netpulse.session WHERE id = ANY (p_closed) AND worker_id = p_worker;
    RETURN true;
END
$$;
