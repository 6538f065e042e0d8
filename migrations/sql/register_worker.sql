-- A new incarnation of a worker process, with its row in procrastinate_workers, which the queue's rows refer to; returns
-- its id. Takes no locks.
CREATE OR REPLACE FUNCTION netpulse.register_worker(p_node text, p_pid integer, p_zone text, p_capacity integer)
RETURNS bigint
LANGUAGE sql VOLATILE AS $$
    WITH queue_worker AS (INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id)
    INSERT INTO netpulse.worker (name, node, pid, zone, capacity, queue_worker_id)
    SELECT p_node || ':' || p_pid, p_node, p_pid, p_zone, p_capacity, q.id FROM queue_worker AS q
    RETURNING id
$$;
