-- Worker p_worker lives. Returns its state: `live`; `draining` if it is to finish what runs and leave; null if it was
-- declared dead: it must stop at once. Locks its own row, which conflicts with a reaper and with nothing else.
CREATE OR REPLACE FUNCTION netpulse.heartbeat(
    p_worker bigint, p_busy integer, p_held integer, p_successful bigint, p_failed bigint) RETURNS text
LANGUAGE sql VOLATILE AS $$
    UPDATE netpulse.worker
       SET beat = beat + 1, heartbeat_at = clock_timestamp(), busy = p_busy, held_sessions = p_held,
           successful_jobs = p_successful, failed_jobs = p_failed
     WHERE id = p_worker AND state <> 'dead'
    RETURNING state
$$;
