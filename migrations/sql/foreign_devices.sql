-- Of p_keys, the devices that worker p_worker does not hold (any more): it has to close its sessions there. No locks.
CREATE OR REPLACE FUNCTION netpulse.foreign_devices(p_worker bigint, p_keys text[]) RETURNS text[]
LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(key), '{}') FROM unnest(p_keys) AS key
     WHERE NOT EXISTS (SELECT FROM netpulse.device AS d WHERE d.key = key.key AND d.worker_id = p_worker)
$$;
