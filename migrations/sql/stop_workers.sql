-- Stop workers from outside; returns the ids of those that were not dead. Without p_force they drain: they finish what
-- runs, hand their devices over and end. With p_force they are dead from now on: what runs on them ends as WorkerLost
-- (outcome unknown for changes that had begun), what waits is handed over, and the processes end as soon as they hear.
-- A lost notice is made good by the next heartbeat, which tells the state.
--
-- Locks, as reap_worker does, but for all at once, since taking them worker by worker could deadlock with a submission
-- to devices of several: the workers FOR UPDATE by id, then their devices in key order.
CREATE OR REPLACE FUNCTION netpulse.stop_workers(p_ids bigint[], p_force boolean) RETURNS bigint[]
LANGUAGE plpgsql
SET lock_timeout = '3s'  -- somebody's forgotten transaction must not stop the worker's heartbeat
AS $$
DECLARE
    v_ids bigint[] := ARRAY(
        SELECT w.id FROM netpulse.worker AS w WHERE w.id = ANY (p_ids) AND w.state <> 'dead' ORDER BY w.id FOR UPDATE);
    v_id bigint;
BEGIN
    UPDATE netpulse.worker SET state = 'draining' WHERE id = ANY (v_ids) AND state = 'live';
    PERFORM FROM netpulse.device WHERE worker_id = ANY (v_ids) ORDER BY key FOR UPDATE;
    FOREACH v_id IN ARRAY v_ids LOOP
        IF p_force THEN
            PERFORM netpulse.reap_worker(v_id, NULL, true);
        ELSE
            PERFORM netpulse.hand_over_devices(v_id);
        END IF;
        PERFORM netpulse.wake('w:' || v_id, CASE WHEN p_force THEN 'dead' ELSE 'drain' END);
    END LOOP;
    RETURN v_ids;
END
$$;
