-- Worker p_worker finishes what it runs and takes nothing new: no device is placed on it, and those on which nothing runs
-- are handed over now, the rest when it leaves (reap_worker). Returns how many devices with waiting jobs it handed over.
-- Locks, as reap_worker does: the worker FOR UPDATE, its devices in key order. Each step is a statement of its own.
CREATE OR REPLACE FUNCTION netpulse.drain_worker(p_worker bigint) RETURNS integer
LANGUAGE plpgsql
SET lock_timeout = '3s'  -- somebody's forgotten transaction must not stop the worker's heartbeat
AS $$
BEGIN
    PERFORM FROM netpulse.worker WHERE id = p_worker AND state = 'live' FOR UPDATE;
    IF NOT FOUND THEN RETURN 0; END IF;
    UPDATE netpulse.worker SET state = 'draining' WHERE id = p_worker;
    PERFORM FROM netpulse.device WHERE worker_id = p_worker ORDER BY key FOR UPDATE;
    RETURN netpulse.hand_over_devices(p_worker);
END
$$;
