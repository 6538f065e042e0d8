-- Give worker p_worker up to p_limit due deliveries, which are its own until the lease of p_lease_s seconds is over: then
-- others may have them, since whoever had them is lost. Each delivery's attempt is on record from here on.
--
-- Of one receiver at most p_per_receiver are under way at one time, over all workers; of one that failed p_trip times in
-- a row only one, not before it has rested, and of all such receivers together the caller gets p_failing_limit. Healthy
-- receivers come first, in random order, each with what waits longest. Deliveries of one job, or of the task that it
-- started, to one receiver go in order:
-- the next one is not given out before the one before is delivered or given up.
--
-- Locks: an advisory lock, to the end of the transaction, so that two claims never count the same free places; deliveries
-- FOR UPDATE, skipping locked ones.
CREATE OR REPLACE FUNCTION netpulse.claim_deliveries(
    p_worker text, p_limit integer, p_failing_limit integer, p_per_receiver integer, p_trip integer,
    p_lease_s double precision)
RETURNS TABLE (id uuid, job_id uuid, event_type text, receiver text, created_at timestamptz, sealed bytea,
               attempt integer, tries integer, failing boolean)
LANGUAGE plpgsql
SET enable_seqscan = off  -- plans are kept: one made while the tables were small must be right when they are large
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz;
    v_receiver record;
    v_slots integer;
    v_count integer;
BEGIN
    PERFORM pg_advisory_xact_lock(x'6e65747068'::bigint);  -- "netph"
    v_now := clock_timestamp();
    FOR v_receiver IN
        WITH RECURSIVE waiting AS (  -- one probe of the index for each receiver, however much waits for it
            (SELECT d.receiver FROM netpulse.webhook_delivery AS d WHERE d.state IN ('due', 'sending')
              ORDER BY d.receiver LIMIT 1)
            UNION ALL
            SELECT (SELECT d.receiver FROM netpulse.webhook_delivery AS d
                     WHERE d.state IN ('due', 'sending') AND d.receiver > w.receiver ORDER BY d.receiver LIMIT 1)
              FROM waiting AS w WHERE w.receiver IS NOT NULL)
        SELECT w.receiver AS name, coalesce(r.failures, 0) >= p_trip AS failing,
               (SELECT count(*) FROM netpulse.webhook_delivery AS d
                 WHERE d.receiver = w.receiver AND d.state = 'sending' AND d.next_at > v_now) AS sending
          FROM waiting AS w LEFT JOIN netpulse.webhook_receiver AS r ON r.receiver = w.receiver
         WHERE EXISTS (SELECT FROM netpulse.webhook_delivery AS d
                        WHERE d.receiver = w.receiver AND d.state IN ('due', 'sending') AND d.next_at <= v_now)
           AND NOT (coalesce(r.failures, 0) >= p_trip AND r.rest_until > v_now)
         ORDER BY 2, random()
    LOOP
        v_slots := CASE WHEN v_receiver.failing THEN least(1 - v_receiver.sending, p_failing_limit)
                        ELSE p_per_receiver - v_receiver.sending END;
        v_slots := least(v_slots, p_limit);
        CONTINUE WHEN v_slots <= 0;
        RETURN QUERY
            WITH chosen AS (
                SELECT d.id FROM netpulse.webhook_delivery AS d
                 WHERE d.receiver = v_receiver.name AND d.state IN ('due', 'sending') AND d.next_at <= v_now
                   AND NOT EXISTS (
                       SELECT FROM netpulse.webhook_delivery AS e
                        WHERE e.job_id = d.job_id AND e.receiver = d.receiver AND e.id < d.id
                          AND e.state IN ('due', 'sending'))
                 ORDER BY d.next_at LIMIT v_slots FOR UPDATE SKIP LOCKED
            ), taken AS (
                UPDATE netpulse.webhook_delivery AS d
                   SET state = 'sending', attempts = d.attempts + 1, next_at = v_now + p_lease_s * interval '1 second'
                  FROM chosen AS c WHERE d.id = c.id
                RETURNING d.*
            ), lost AS (
                UPDATE netpulse.webhook_attempt AS a SET error = 'The worker that sent it was lost.'
                  FROM taken AS t
                 WHERE a.delivery_id = t.id AND a.number = t.attempts - 1 AND a.duration_s IS NULL AND a.error IS NULL
            ), begun AS (
                INSERT INTO netpulse.webhook_attempt (delivery_id, number, started_at, worker)
                SELECT t.id, t.attempts, v_now, p_worker FROM taken AS t
            )
            SELECT t.id, t.job_id, t.event_type, t.receiver, t.created_at, t.sealed, t.attempts,
                   t.attempts - t.attempts_before, v_receiver.failing
              FROM taken AS t;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        p_limit := p_limit - v_count;
        IF v_receiver.failing THEN p_failing_limit := p_failing_limit - v_count; END IF;
        EXIT WHEN p_limit <= 0;
    END LOOP;
END
$$;
