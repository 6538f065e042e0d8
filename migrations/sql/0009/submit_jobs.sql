-- Accept jobs: all of them or, if it raises, none. When it has committed, no job can be lost.
--
-- p_jobs: array of objects, see type netpulse.new_job. One row per element comes back, `position` from 1.
--   created   false: the same principal sent the same idempotency key within 24 hours; the row is that first job
--   conflict  true: that first job was another request; nothing was queued for this element
--   worker_id the holder that will run it; null: nobody yet (fifo, or no worker in the zone)
--   held_in   the other zone in which the device's jobs wait or run: nothing was queued for this element, id is null.
--             A device without jobs moves to the zone it is asked for in, and its old holder is told to let go of it.
--
-- A job of a later wave than the first (see advance_rollouts) waits in the queue `held`, where no worker looks, without its
-- device's lock; its time to live counts from its release on.
--
-- Locks, in this order: an advisory lock per idempotency key; the devices' rows in key order, to commit (the order of
-- commits is the order of jobs on a device); workers FOR KEY SHARE SKIP LOCKED where a device needs a holder. What is
-- asked of a device after its lock is a statement of its own, so that it sees what the lock waited for.
CREATE OR REPLACE FUNCTION netpulse.submit_jobs(p_jobs jsonb)
RETURNS TABLE ("position" bigint, created boolean, conflict boolean, id uuid, state text, strategy text, host text,
               worker_id bigint, created_at timestamptz, held_in text)
LANGUAGE plpgsql
SET enable_seqscan = off  -- plans are kept: one made while the tables were small must be right when they are large
SET enable_mergejoin = off
SET lock_timeout = '10s'  -- a device in somebody's forgotten transaction
AS $$
#variable_conflict use_column
DECLARE
    v_at timestamptz := clock_timestamp();
    v_new netpulse.new_job[] := ARRAY(SELECT n FROM jsonb_populate_recordset(NULL::netpulse.new_job, p_jobs) AS n);
    v_positions bigint[];
    v_ids uuid[];
    v_queue_ids bigint[];
    v_device record;
    v_known text[];  -- devices that were there before: they may have jobs; null: none was
    v_placed text[] := '{}';
    v_queue text;
    v_only_device text;
BEGIN
    IF EXISTS (SELECT FROM unnest(v_new) AS n WHERE n.idempotency_key IS NOT NULL) THEN
        PERFORM pg_advisory_xact_lock(k.hash)
           FROM (SELECT DISTINCT hashtextextended(n.submitted_by || E'\x1f' || n.idempotency_key, 0) AS hash
                   FROM unnest(v_new) AS n WHERE n.idempotency_key IS NOT NULL ORDER BY 1) AS k;
        UPDATE netpulse.job AS j SET idempotency_key = NULL
          FROM unnest(v_new) AS n
         WHERE j.submitted_by = n.submitted_by AND j.idempotency_key = n.idempotency_key
           AND j.created_at < v_at - interval '24 hours';
        RETURN QUERY
            SELECT n.ordinality, false, j.request_hash <> ALL (n.request_hashes), j.id, j.state, j.strategy, j.host,
                   j.worker_id, j.created_at, NULL::text
              FROM unnest(v_new) WITH ORDINALITY AS n
              JOIN netpulse.job AS j ON j.submitted_by = n.submitted_by AND j.idempotency_key = n.idempotency_key;
    END IF;

    v_positions := ARRAY(
        SELECT n.ordinality FROM unnest(v_new) WITH ORDINALITY AS n
         WHERE NOT EXISTS (SELECT FROM netpulse.job AS j
                            WHERE j.submitted_by = n.submitted_by AND j.idempotency_key = n.idempotency_key)
         ORDER BY n.ordinality);
    IF v_positions = '{}' THEN RETURN; END IF;

    WITH locked AS (
        INSERT INTO netpulse.device AS d (key, host, port, zone)
        SELECT DISTINCT ON (n.device_key) n.device_key, n.host, n.port, n.zone
          FROM unnest(v_new) WITH ORDINALITY AS n
          JOIN unnest(v_positions) AS p ON p = n.ordinality
         WHERE n.strategy = 'pinned'
         ORDER BY n.device_key, n.ordinality
            ON CONFLICT (key) DO UPDATE SET submitted_at = excluded.submitted_at
        RETURNING d.key, xmax = 0 AS fresh)  -- inserted just now
    SELECT array_agg(l.key) INTO v_known FROM locked AS l WHERE NOT l.fresh;
    -- Not joined with what the statement above returns: a kept plan takes both for ten rows, and compares a thousand
    -- with a thousand.
    FOR v_device IN
        SELECT w.key, d.zone, w.zone AS wanted_zone, w.preferred_worker
          FROM (SELECT DISTINCT ON (n.device_key) n.device_key AS key, n.zone, n.preferred_worker
                  FROM unnest(v_new) WITH ORDINALITY AS n
                  JOIN unnest(v_positions) AS p ON p = n.ordinality
                 WHERE n.strategy = 'pinned'
                 ORDER BY n.device_key, n.ordinality) AS w
          JOIN netpulse.device AS d ON d.key = w.key
         WHERE d.worker_id IS NULL OR d.zone <> w.zone
         ORDER BY w.key
    LOOP
        IF v_device.zone = v_device.wanted_zone OR netpulse.move_device(v_device.key, v_device.wanted_zone) THEN
            UPDATE netpulse.device SET worker_id = w.id, epoch = epoch + 1
              FROM netpulse.pick_worker(v_device.wanted_zone, v_device.preferred_worker) AS w (id)
             WHERE key = v_device.key AND w.id IS NOT NULL;
            v_placed := v_placed || v_device.key;
        END IF;
    END LOOP;
    IF v_known IS NOT NULL AND v_placed <> '{}' THEN
        PERFORM netpulse.reroute_jobs(ARRAY(SELECT unnest(v_placed) INTERSECT SELECT unnest(v_known)));
    END IF;
    RETURN QUERY
        SELECT n.ordinality, false, false, NULL::uuid, NULL::text, n.strategy, n.host, d.worker_id, NULL::timestamptz, d.zone
          FROM unnest(v_new) WITH ORDINALITY AS n
          JOIN unnest(v_positions) AS p ON p = n.ordinality
          JOIN netpulse.device AS d ON d.key = n.device_key
         WHERE n.strategy = 'pinned' AND d.zone <> n.zone;
    IF FOUND THEN
        v_positions := ARRAY(
            SELECT n.ordinality FROM unnest(v_new) WITH ORDINALITY AS n
              JOIN unnest(v_positions) AS p ON p = n.ordinality
              LEFT JOIN netpulse.device AS d ON d.key = n.device_key
             WHERE n.strategy <> 'pinned' OR d.zone = n.zone
             ORDER BY n.ordinality);
        IF v_positions = '{}' THEN RETURN; END IF;
    END IF;

    v_at := clock_timestamp();  -- under the devices' locks, so that the order of ids is the order on a device too
    v_ids := ARRAY(SELECT netpulse.uuid7(v_at + p * interval '1 microsecond') FROM unnest(v_positions) AS p);

    SELECT procrastinate_defer_jobs_v1(array_agg(
               ROW(CASE WHEN n.wave > 0 THEN 'held'
                        WHEN n.strategy = 'fifo' THEN 'fifo:' || n.zone
                        ELSE coalesce('w:' || d.worker_id, 'pinned:' || d.zone) END,
                   'run', n.priority, CASE WHEN n.strategy = 'pinned' AND coalesce(n.wave, 0) = 0 THEN n.device_key END, NULL,
                   jsonb_build_object('job_id', p.id), NULL)::procrastinate_job_to_defer_v1
               ORDER BY n.ordinality))
      INTO v_queue_ids
      FROM unnest(v_new) WITH ORDINALITY AS n
      JOIN unnest(v_positions, v_ids) AS p (ordinality, id) ON p.ordinality = n.ordinality
      LEFT JOIN netpulse.device AS d ON d.key = n.device_key;

    RETURN QUERY
        WITH made AS (
            INSERT INTO netpulse.job AS j (
                id, batch_id, schedule_id, driver, operation, device_key, host, zone, strategy, priority, request, sealed,
                submitted_by, idempotency_key, request_hash, queue_job_id, max_attempts, execution_timeout_s,
                created_at, expires_at, wave)
            SELECT p.id, n.batch_id, n.schedule_id, n.driver, n.operation, n.device_key, n.host, n.zone, n.strategy,
                   n.priority, n.request, convert_to(n.sealed, 'UTF8'), n.submitted_by, n.idempotency_key,
                   n.request_hashes[1], p.queue_job_id, n.max_attempts, n.execution_timeout_s,
                   v_at, v_at + n.ttl_s * interval '1 second' + CASE WHEN n.wave > 0 THEN interval '7 days' ELSE '0' END,
                   n.wave
              FROM unnest(v_new) WITH ORDINALITY AS n
              JOIN unnest(v_positions, v_ids, v_queue_ids) AS p (ordinality, id, queue_job_id)
                ON p.ordinality = n.ordinality
            RETURNING j.*)
        SELECT p.ordinality, true, false, m.id, m.state, m.strategy, m.host, d.worker_id, m.created_at, NULL::text
          FROM made AS m
          JOIN unnest(v_positions, v_ids) AS p (ordinality, id) ON p.id = m.id
          LEFT JOIN netpulse.device AS d ON d.key = m.device_key AND m.strategy = 'pinned';

    FOR v_queue, v_only_device IN
        SELECT q.queue_name, CASE WHEN count(DISTINCT q.lock) = 1 THEN min(q.lock) END
          FROM procrastinate_jobs AS q WHERE q.id = ANY (v_queue_ids) AND q.queue_name <> 'held'
         GROUP BY q.queue_name
    LOOP
        PERFORM netpulse.wake(v_queue, coalesce('work ' || v_only_device, ''));
    END LOOP;
END
$$;
