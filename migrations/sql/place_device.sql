-- Give the unheld device p_key to p_worker (null: leave it waiting in its zone), its waiting jobs with it.
-- The caller holds the device's row lock and the worker's KEY SHARE (or its own row FOR UPDATE).
CREATE OR REPLACE FUNCTION netpulse.place_device(p_key text, p_zone text, p_worker bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE netpulse.device SET worker_id = p_worker, epoch = epoch + 1
     WHERE key = p_key AND worker_id IS DISTINCT FROM p_worker;
    UPDATE procrastinate_jobs SET queue_name = coalesce('w:' || p_worker, 'pinned:' || p_zone)
     WHERE lock = p_key AND status = 'todo';
END
$$;
