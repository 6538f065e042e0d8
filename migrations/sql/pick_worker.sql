-- The live worker of zone p_zone that should hold one more device: p_preferred if it is one; else with room before full,
-- then the fewest devices, then by chance. A full one may be picked: it closes its longest idle session to make room.
-- Locks the worker FOR KEY SHARE SKIP LOCKED: free of heartbeats' locks, and a worker that is being reaped is passed over.
-- Returns null where no worker serves the zone.
CREATE OR REPLACE FUNCTION netpulse.pick_worker(p_zone text, p_preferred bigint DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_worker bigint;
BEGIN
    SELECT w.id INTO v_worker FROM netpulse.worker AS w
     WHERE w.id = p_preferred AND w.zone = p_zone AND w.state = 'live' FOR KEY SHARE SKIP LOCKED;
    IF FOUND THEN RETURN v_worker; END IF;
    SELECT w.id INTO v_worker
      FROM netpulse.worker AS w
     CROSS JOIN LATERAL (SELECT count(*) AS devices FROM netpulse.device AS d WHERE d.worker_id = w.id) AS load
     WHERE w.zone = p_zone AND w.state = 'live'
     ORDER BY load.devices >= w.capacity, load.devices, random()
     LIMIT 1
       FOR KEY SHARE OF w SKIP LOCKED;
    RETURN v_worker;
END
$$;
