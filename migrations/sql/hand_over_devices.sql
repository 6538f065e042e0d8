-- Take from worker p_worker the devices on which nothing runs; those with waiting jobs get another holder, or wait in
-- their zone. Returns how many got one or wait. The caller holds the worker's row FOR UPDATE, which is not `live` any
-- more, and its devices' rows. Locks other workers FOR KEY SHARE SKIP LOCKED, and queue rows.
CREATE OR REPLACE FUNCTION netpulse.hand_over_devices(p_worker bigint) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_device record;
    v_holder bigint;
    v_holders bigint[] := '{}';
BEGIN
    FOR v_device IN
        UPDATE netpulse.device AS d SET worker_id = NULL, epoch = d.epoch + 1
         WHERE d.worker_id = p_worker
           AND NOT EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = d.key AND q.status = 'doing')
        RETURNING d.key, d.zone
    LOOP
        IF EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = v_device.key AND q.status = 'todo') THEN
            v_holder := netpulse.pick_worker(v_device.zone);
            PERFORM netpulse.place_device(v_device.key, v_device.zone, v_holder);
            v_holders := v_holders || v_holder;
        END IF;
    END LOOP;
    PERFORM netpulse.wake('w:' || h) FROM (SELECT DISTINCT unnest(v_holders) AS h) AS holders WHERE h IS NOT NULL;
    RETURN cardinality(v_holders);
END
$$;
