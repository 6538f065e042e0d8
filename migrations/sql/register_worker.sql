-- A new incarnation of a worker process; returns its id. Takes no locks.
CREATE OR REPLACE FUNCTION netpulse.register_worker(p_node text, p_pid integer, p_zone text, p_capacity integer)
RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    INSERT INTO netpulse.worker (name, node, pid, zone, capacity)
    VALUES (p_node || ':' || p_pid, p_node, p_pid, p_zone, p_capacity)
    RETURNING id
$$;
