-- Claim up to p_limit jobs for worker p_worker: its pinned ones, the first of each free device, and its zone's fifo ones,
-- by priority, then age. A query is `started` by this; a change is `claimed` until start_job.
--
-- p_queue_worker: the worker's row in procrastinate_workers. p_fifo_limit: how many of them may be fifo ones; null: all.
-- p_devices: of the pinned ones, those of these devices; null: of every device. A worker that looked everywhere and got less
-- than its limit needs to look again only where something came or ended since, whatever else waits for its busy devices.
-- Raises NP001 if p_worker was declared dead.
-- Locks: worker p_worker FOR KEY SHARE (waits for a reaper, not for heartbeats), then queue rows, then job rows.
-- Cost: an index probe per device named; else the front of the queue and, if that has too few free devices, an index probe
-- per waiting device of this worker. The length of the backlog does not matter, nor how many rows there were when a
-- connection planned this: hence the settings.
CREATE OR REPLACE FUNCTION netpulse.claim_jobs(
    p_worker bigint, p_queue_worker bigint, p_limit integer, p_fifo_limit integer DEFAULT NULL,
    p_devices text[] DEFAULT NULL)
RETURNS TABLE (queue_job_id bigint, queue_name text, priority integer, lock text, id uuid, driver text, operation text,
               strategy text, device_key text, request jsonb, sealed bytea, attempts integer, max_attempts integer,
               execution_timeout_s double precision, expired boolean)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET enable_incremental_sort = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_worker record;
    v_queue text := 'w:' || p_worker;  -- BETWEEN it and itself: with = procrastinate's index on priority alone looks as good
    v_common text;
    v_front integer := 2 * p_limit + 32;
    v_seen integer;
    v_pinned bigint[];
    v_fifo bigint[];
BEGIN
    SELECT w.name, w.zone INTO v_worker FROM netpulse.worker AS w
     WHERE w.id = p_worker AND w.state <> 'dead' FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'worker % was declared dead', p_worker USING ERRCODE = 'NP001';
    END IF;

    v_common := 'fifo:' || v_worker.zone;

    IF p_devices IS NOT NULL THEN
        v_pinned := ARRAY(
            SELECT first.id FROM unnest(p_devices) AS named (lock), LATERAL (
                SELECT q.id, q.priority FROM procrastinate_jobs AS q
                 WHERE q.status = 'todo' AND q.queue_name = v_queue AND q.lock = named.lock
                 ORDER BY q.priority DESC, q.id LIMIT 1) AS first
             WHERE NOT EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = named.lock AND q.status = 'doing')
             ORDER BY first.priority DESC, first.id LIMIT p_limit);
    ELSE
        SELECT count(*), array_agg(f.id ORDER BY f.priority DESC, f.id) FILTER (WHERE f.place = 1 AND NOT EXISTS (
                   SELECT FROM procrastinate_jobs AS q WHERE q.lock = f.lock AND q.status = 'doing'))
          INTO v_seen, v_pinned
          FROM (SELECT q.*, row_number() OVER (PARTITION BY q.lock ORDER BY q.priority DESC, q.id) AS place
                  FROM (SELECT q.id, q.priority, q.lock FROM procrastinate_jobs AS q
                         WHERE q.status = 'todo' AND q.queue_name BETWEEN v_queue AND v_queue
                         ORDER BY q.queue_name, q.priority DESC, q.id LIMIT v_front) AS q) AS f;
        IF v_seen = v_front AND coalesce(cardinality(v_pinned), 0) < p_limit THEN
            v_pinned := ARRAY(
                WITH RECURSIVE head AS (
                    (SELECT q.lock, q.id, q.priority FROM procrastinate_jobs AS q
                      WHERE q.status = 'todo' AND q.queue_name = v_queue AND q.lock IS NOT NULL
                      ORDER BY q.lock, q.priority DESC, q.id LIMIT 1)
                    UNION ALL
                    SELECT next.* FROM head AS h, LATERAL (
                        SELECT q.lock, q.id, q.priority FROM procrastinate_jobs AS q
                         WHERE q.status = 'todo' AND q.queue_name = v_queue AND q.lock > h.lock
                         ORDER BY q.lock, q.priority DESC, q.id LIMIT 1) AS next
                )
                SELECT h.id FROM head AS h
                 WHERE NOT EXISTS (SELECT FROM procrastinate_jobs AS q WHERE q.lock = h.lock AND q.status = 'doing')
                 ORDER BY h.priority DESC, h.id LIMIT p_limit);
        END IF;
    END IF;
    v_fifo := ARRAY(
        SELECT q.id FROM procrastinate_jobs AS q
         WHERE q.status = 'todo' AND q.queue_name BETWEEN v_common AND v_common
         ORDER BY q.queue_name, q.priority DESC, q.id LIMIT least(p_limit, p_fifo_limit) FOR UPDATE SKIP LOCKED);
    IF coalesce(cardinality(v_pinned), 0) + cardinality(v_fifo) = 0 THEN RETURN; END IF;

    RETURN QUERY
    WITH pick AS MATERIALIZED (
        SELECT q.id FROM procrastinate_jobs AS q
         WHERE q.id = ANY (v_pinned || v_fifo) AND q.status = 'todo'
         ORDER BY q.priority DESC, q.id LIMIT p_limit
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
        RETURNING j.*, t.queue_name, t.priority AS queue_priority, t.lock
    )
    SELECT o.queue_job_id, o.queue_name::text, o.queue_priority, o.lock, o.id, o.driver, o.operation, o.strategy,
           o.device_key, o.request, o.sealed, o.attempts, o.max_attempts, o.execution_timeout_s,
           o.expires_at <= clock_timestamp()
      FROM ours AS o
     ORDER BY o.queue_priority DESC, o.queue_job_id;
END
$$;
