-- How the site is doing, without scanning its history: a JSON object for `GET /system/stats`, which says what it means.
-- Waiting jobs and due deliveries are counted up to 100,000. Locks nothing.
CREATE FUNCTION netpulse.site_stats() RETURNS jsonb
LANGUAGE plpgsql STABLE
SET enable_seqscan = off  -- plans are kept: one made while the tables were small must be right when they are large
SET enable_sort = off
SET jit = off  -- tiny tables are scanned all the same, at a price that looks as if compiling were worth it
AS $$
DECLARE
    v_jobs jsonb;
    v_minutes jsonb;
    v_most CONSTANT integer := 100000;
BEGIN
    SELECT jsonb_object_agg(s.state, coalesce(c.ended - c.removed, 0))
           || jsonb_build_object('ended_ever', coalesce(sum(c.ended), 0))
      INTO v_jobs
      FROM unnest(ARRAY['finished', 'failed', 'cancelled']) AS s (state)
      LEFT JOIN (SELECT u.state, sum(u.ended)::bigint AS ended, sum(u.removed)::bigint AS removed
                   FROM (SELECT t.state, t.ended, t.removed FROM netpulse.job_total AS t
                          UNION ALL SELECT t.state, t.ended, t.removed FROM netpulse.job_tally AS t) AS u
                  GROUP BY u.state) AS c USING (state);
    v_jobs := v_jobs || jsonb_build_object(
        'waiting', (SELECT count(*) FROM (
            SELECT FROM netpulse.job AS j WHERE j.state = 'queued' LIMIT v_most) AS w),
        'running', (SELECT count(*) FROM netpulse.job AS j WHERE j.state IN ('claimed', 'started')),
        'oldest_waiting_since', (
            SELECT j.created_at FROM netpulse.job AS j WHERE j.state = 'queued' ORDER BY j.id LIMIT 1));

    SELECT jsonb_agg(jsonb_build_object('at', m.minute, 'finished', m.finished, 'failed', m.failed,
                                        'cancelled', m.cancelled) ORDER BY m.minute)
      INTO v_minutes
      FROM (SELECT g.minute, coalesce(sum(u.ended) FILTER (WHERE u.state = 'finished'), 0) AS finished,
                   coalesce(sum(u.ended) FILTER (WHERE u.state = 'failed'), 0) AS failed,
                   coalesce(sum(u.ended) FILTER (WHERE u.state = 'cancelled'), 0) AS cancelled
              FROM generate_series(date_trunc('minute', now()) - interval '9 minutes', date_trunc('minute', now()),
                                   interval '1 minute') AS g (minute)
              LEFT JOIN (SELECT m.minute, m.state, m.ended FROM netpulse.job_minute AS m
                          WHERE m.minute >= now() - interval '10 minutes'
                          UNION ALL
                         SELECT date_trunc('minute', t.at), t.state, t.ended FROM netpulse.job_tally AS t) AS u
                     USING (minute)
             GROUP BY g.minute) AS m;

    RETURN jsonb_build_object(
        'jobs', v_jobs || jsonb_build_object('per_minute', v_minutes),
        'zones', (SELECT coalesce(jsonb_agg(to_jsonb(z) ORDER BY z.zone), '[]') FROM (
            SELECT w.zone, count(*) AS workers, sum(w.busy) AS busy, sum(w.held_sessions) AS held_sessions,
                   sum(w.capacity) AS capacity
              FROM netpulse.worker AS w WHERE w.state <> 'dead' GROUP BY w.zone) AS z),
        'deliveries_due', (SELECT count(*) FROM (
            SELECT FROM netpulse.webhook_delivery AS d WHERE d.state IN ('due', 'sending') LIMIT v_most) AS d),
        'schedules', (SELECT jsonb_build_object(
                'enabled', count(*) FILTER (WHERE s.enabled), 'disabled', count(*) FILTER (WHERE NOT s.enabled),
                'next_at', min(s.next_at))
            FROM netpulse.schedule AS s),
        'retention', (SELECT jsonb_build_object(
                'by', r.by, 'began_at', r.began_at, 'seen_at', r.seen_at, 'ended_at', r.ended_at, 'removed', r.removed)
            FROM netpulse.retention_round AS r ORDER BY r.id DESC LIMIT 1),
        'database_bytes', pg_database_size(current_database()),
        'table_bytes', (SELECT jsonb_object_agg(t.name, pg_total_relation_size(format('netpulse.%I', t.name)))
            FROM unnest(ARRAY['job', 'job_output', 'output_text', 'output_change', 'output_latest', 'file_piece',
                              'webhook_delivery', 'webhook_attempt', 'audit_event']) AS t (name)));
END
$$;
