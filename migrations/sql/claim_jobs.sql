-- Claim up to p_limit jobs for worker p_worker: its pinned ones, the first of each free device, and its zone's fifo ones,
-- by priority, then age. A query is `started` by this; a change is `claimed` until start_job.
--
-- p_queue_worker: the worker's row in procrastinate_workers. Raises NP001 if p_worker was declared dead.
-- Locks: worker p_worker FOR KEY SHARE (waits for a reaper, not for heartbeats), then queue rows, then job rows.
-- Cost: one index probe per waiting device of this worker; the length of a device's backlog does not matter.
CREATE OR REPLACE FUNCTION netpulse.claim_jobs(p_worker bigint, p_queue_worker bigint, p_limit integer)
RETURNS TABLE (queue_job_id bigint, queue_name text, priority integer, lock text, id uuid, driver text, operation text,
               strategy text, device_key text, request jsonb, sealed bytea, attempts integer, max_attempts integer,
               execution_timeout_s double precision, expired boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_worker record;
BEGIN
    SELECT w.name, w.zone INTO v_worker FROM netpulse.worker AS w
     WHERE w.id = p_worker AND w.state <> 'dead' FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'worker % was declared dead', p_worker USING ERRCODE = 'NP001';
    END IF;
    RETURN QUERY
    WITH RECURSIVE head AS (
        (SELECT q.lock, q.id, q.priority FROM procrastinate_jobs AS q
          WHERE q.status = 'todo' AND q.queue_name = 'w:' || p_worker AND q.lock IS NOT NULL
          ORDER BY q.lock, q.priority DESC, q.id LIMIT 1)
        UNION ALL
        SELECT next.* FROM head AS h, LATERAL (
            SELECT q.lock, q.id, q.priority FROM procrastinate_jobs AS q
             WHERE q.status = 'todo' AND q.queue_name = 'w:' || p_worker AND q.lock > h.lock
             ORDER BY q.lock, q.priority DESC, q.id LIMIT 1) AS next
    ), pinned AS (
        SELECT h.id, h.priority FROM head AS h
         WHERE NOT EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = h.lock AND q.status = 'doing')
         ORDER BY h.priority DESC, h.id LIMIT p_limit
    ), fifo AS (
        SELECT q.id, q.priority FROM procrastinate_jobs AS q
         WHERE q.status = 'todo' AND q.queue_name = 'fifo:' || v_worker.zone
         ORDER BY q.priority DESC, q.id LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), pick AS (
        SELECT c.id FROM (SELECT * FROM pinned UNION ALL SELECT * FROM fifo) AS c
         ORDER BY c.priority DESC, c.id LIMIT p_limit
    ), taken AS (
        UPDATE procrastinate_jobs AS q SET status = 'doing', worker_id = p_queue_worker
          FROM pick WHERE q.id = pick.id AND q.status = 'todo'
        RETURNING q.*
    ), ours AS (
        UPDATE netpulse.job AS j
           SET state = CASE j.operation WHEN 'config' THEN 'claimed' ELSE 'started' END,
               worker_id = p_worker, worker = v_worker.name, attempts = j.attempts + 1, started_at = clock_timestamp(),
               epoch = (SELECT d.epoch FROM netpulse.device AS d WHERE d.key = j.device_key)
          FROM taken AS t
         WHERE j.id = (t.args ->> 'job_id')::uuid AND j.state = 'queued'
        RETURNING j.*
    )
    SELECT t.id, t.queue_name::text, t.priority, t.lock, o.id, o.driver, o.operation, o.strategy, o.device_key, o.request,
           o.sealed, o.attempts, o.max_attempts, o.execution_timeout_s, o.expires_at <= clock_timestamp()
      FROM taken AS t JOIN ours AS o ON o.queue_job_id = t.id
     ORDER BY t.priority DESC, t.id;
END
$$;
