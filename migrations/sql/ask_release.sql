-- Ask the holders of host p_host's devices to close their idle sessions there; returns those devices' keys. A device
-- without jobs is then released; jobs that run or wait are not disturbed, and keep their holder. Takes no locks.
CREATE OR REPLACE FUNCTION netpulse.ask_release(p_host text) RETURNS text[]
LANGUAGE sql VOLATILE AS $$
    WITH held AS (SELECT d.key, d.worker_id FROM netpulse.device AS d WHERE d.host = p_host AND d.worker_id IS NOT NULL),
    told AS (SELECT h.worker_id, array_agg(h.key) AS keys FROM held AS h GROUP BY h.worker_id)
    SELECT coalesce(array_agg(k.key ORDER BY k.key), '{}')
      FROM told AS t, LATERAL netpulse.tell_to_release(t.worker_id, t.keys), LATERAL unnest(t.keys) AS k (key)
$$;
