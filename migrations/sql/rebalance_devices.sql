-- Worker p_worker, which holds less than its share of its zone's devices (by capacity), takes over up to p_limit idle
-- ones from the live workers that hold more than theirs, the most loaded first. It starts only when more than one device
-- and more than 10 % are missing, and leaves every giver its share, so that nothing goes to and fro. Returns how many.
--
-- Idle means: no waiting and no running job. So no job is disturbed, and none changes its place in the order:
--   a submission in flight holds the device's row lock: the device is passed over; one that comes later waits for ours,
--     and finds the new holder;
--   a claim, a requeue or a finish in flight takes no device lock, but has a queue row that we still see (uncommitted
--     changes leave it `todo` or `doing`), and no such row can come into being while we hold the device's lock;
--   the giver's last job has left the device: its queue row is deleted only after the session came to rest;
--   a giver that is reaped or drained meanwhile, or releases the device, waits for our lock, and then passes it over.
-- The giver is told to close these sessions; should the notice get lost, it finds out by foreign_devices.
--
-- Locks: an advisory lock for the zone (not waited for: one taker at a time); worker p_worker FOR KEY SHARE; the devices
-- in key order, SKIP LOCKED. It waits for nothing but a reaper of p_worker itself, before it holds any device.
CREATE OR REPLACE FUNCTION netpulse.rebalance_devices(p_worker bigint, p_limit integer) RETURNS integer
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan  -- see reroute_jobs
AS $$
DECLARE
    v_zone text;
    v_missing integer;
    v_giver record;
    v_keys text[];
    v_count integer := 0;
BEGIN
    SELECT zone INTO v_zone FROM netpulse.worker WHERE id = p_worker AND state = 'live' FOR KEY SHARE;
    IF NOT FOUND OR NOT pg_try_advisory_xact_lock(hashtextextended('netpulse.rebalance:' || v_zone, 0)) THEN
        RETURN 0;
    END IF;
    FOR v_giver IN
        SELECT s.* FROM netpulse.shares(v_zone) AS s
         ORDER BY s.worker_id <> p_worker, s.devices - s.share DESC  -- p_worker itself comes first
    LOOP
        IF v_giver.worker_id = p_worker THEN
            v_missing := least(floor(v_giver.share)::integer - v_giver.devices, p_limit);
            IF v_giver.share - v_giver.devices <= 1 OR v_giver.devices >= 0.9 * v_giver.share THEN RETURN 0; END IF;
            CONTINUE;
        END IF;
        EXIT WHEN v_count >= v_missing OR v_giver.devices - v_giver.share < 1;
        v_keys := ARRAY(
            SELECT d.key FROM netpulse.device AS d
             WHERE d.worker_id = v_giver.worker_id
               AND NOT EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = d.key AND q.status IN ('todo', 'doing'))
             ORDER BY d.key LIMIT least(v_missing - v_count, floor(v_giver.devices - v_giver.share)::integer)
               FOR UPDATE OF d SKIP LOCKED);
        WITH taken AS (
            UPDATE netpulse.device AS d SET worker_id = p_worker, epoch = d.epoch + 1
             WHERE d.key = ANY (v_keys)
               AND NOT EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = d.key AND q.status IN ('todo', 'doing'))
            RETURNING d.key)
        SELECT coalesce(array_agg(t.key), '{}') INTO v_keys FROM taken AS t;
        PERFORM netpulse.tell_to_release(v_giver.worker_id, v_keys);
        v_count := v_count + cardinality(v_keys);
    END LOOP;
    RETURN v_count;
END
$$;

-- The live workers of zone p_zone, the devices that each holds, and how many would be its share by capacity. No locks.
CREATE OR REPLACE FUNCTION netpulse.shares(p_zone text)
RETURNS TABLE (worker_id bigint, devices bigint, share double precision)
LANGUAGE sql STABLE AS $$
    SELECT w.id, load.devices, sum(load.devices) OVER () * w.capacity::double precision / sum(w.capacity) OVER ()
      FROM netpulse.worker AS w
     CROSS JOIN LATERAL (SELECT count(*) AS devices FROM netpulse.device AS d WHERE d.worker_id = w.id) AS load
     WHERE w.zone = p_zone AND w.state = 'live'
$$;
