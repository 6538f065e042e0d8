-- Take from worker p_worker the devices on which nothing runs; those with waiting jobs get another holder, or wait in
-- their zone: each goes to the live worker that has the fewest by then, those with room first. Returns how many got one
-- or wait. The caller holds the worker's row FOR UPDATE, which is not `live` any more, and its devices' rows.
-- Locks the zone's live workers FOR KEY SHARE SKIP LOCKED, and queue rows.
CREATE OR REPLACE FUNCTION netpulse.hand_over_devices(p_worker bigint) RETURNS integer
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan  -- see reroute_jobs
AS $$
DECLARE
    v_workers bigint[];
    v_devices bigint[];
    v_capacities integer[];
    v_device record;
    v_heir integer;
    v_rerouted text[] := '{}';
BEGIN
    -- Counted once: pick_worker for each device would count all devices of the zone each time.
    SELECT array_agg(c.id), array_agg(c.devices), array_agg(c.capacity) INTO v_workers, v_devices, v_capacities
      FROM (SELECT w.id, w.capacity, (SELECT count(*) FROM netpulse.device AS d WHERE d.worker_id = w.id) AS devices
              FROM netpulse.worker AS w
             WHERE w.zone = (SELECT zone FROM netpulse.worker WHERE id = p_worker) AND w.state = 'live'
               FOR KEY SHARE OF w SKIP LOCKED) AS c;
    FOR v_device IN
        UPDATE netpulse.device AS d SET worker_id = NULL, epoch = d.epoch + 1
         WHERE d.worker_id = p_worker
           AND NOT EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = d.key AND q.status = 'doing')
        RETURNING d.key
    LOOP
        CONTINUE WHEN NOT EXISTS (
            SELECT FROM procrastinate_jobs AS q WHERE q.lock = v_device.key AND q.status = 'todo');
        SELECT c.position INTO v_heir
          FROM unnest(v_devices, v_capacities) WITH ORDINALITY AS c (devices, capacity, position)
         ORDER BY c.devices >= c.capacity, c.devices, random() LIMIT 1;
        IF v_heir IS NOT NULL THEN
            UPDATE netpulse.device SET worker_id = v_workers[v_heir], epoch = epoch + 1 WHERE key = v_device.key;
            v_devices[v_heir] := v_devices[v_heir] + 1;
        END IF;
        v_rerouted := v_rerouted || v_device.key;
    END LOOP;
    IF v_rerouted <> '{}' THEN
        PERFORM netpulse.reroute_jobs(v_rerouted);
        PERFORM netpulse.wake('w:' || w) FROM unnest(v_workers) AS w;
    END IF;
    RETURN cardinality(v_rerouted);
END
$$;
