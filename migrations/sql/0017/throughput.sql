-- An hour at a time, so that bounds on `hour` spare the others.
CREATE VIEW report.throughput AS
SELECT h.hour, t.zone, t.jobs, t.finished, t.failed, t.cancelled, t.latency_p50_s, t.latency_p95_s, t.latency_p99_s,
       t.queue_time_p50_s, t.queue_time_p95_s
  FROM generate_series(
           date_trunc('hour', (SELECT min(j.ended_at) FROM netpulse.job AS j)), now(), interval '1 hour') AS h (hour)
 CROSS JOIN LATERAL (
       SELECT j.zone, count(*) AS jobs, count(*) FILTER (WHERE j.state = 'finished') AS finished,
              count(*) FILTER (WHERE j.state = 'failed') AS failed,
              count(*) FILTER (WHERE j.state = 'cancelled') AS cancelled,
              percentile_cont(0.5) WITHIN GROUP (ORDER BY n.latency_s) AS latency_p50_s,
              percentile_cont(0.95) WITHIN GROUP (ORDER BY n.latency_s) AS latency_p95_s,
              percentile_cont(0.99) WITHIN GROUP (ORDER BY n.latency_s) AS latency_p99_s,
              percentile_cont(0.5) WITHIN GROUP (ORDER BY n.queue_time_s) AS queue_time_p50_s,
              percentile_cont(0.95) WITHIN GROUP (ORDER BY n.queue_time_s) AS queue_time_p95_s
         FROM netpulse.job AS j,
              LATERAL (SELECT extract(epoch FROM j.ended_at - j.created_at)::float8 AS latency_s,
                              extract(epoch FROM j.started_at - j.created_at)::float8 AS queue_time_s) AS n
        WHERE j.ended_at >= h.hour AND j.ended_at < h.hour + interval '1 hour'
        GROUP BY j.zone) AS t;

COMMENT ON VIEW report.throughput IS
    'How many jobs ended, and how long they took: one row per hour and zone. Quick by bounds on hour';
COMMENT ON COLUMN report.throughput.hour IS 'Its beginning; jobs count in the hour in which they ended';
COMMENT ON COLUMN report.throughput.zone IS 'Part of the network';
COMMENT ON COLUMN report.throughput.jobs IS 'How many ended';
COMMENT ON COLUMN report.throughput.finished IS 'Of these, as they should';
COMMENT ON COLUMN report.throughput.failed IS 'Of these, with an error';
COMMENT ON COLUMN report.throughput.cancelled IS 'Of these, called off';
COMMENT ON COLUMN report.throughput.latency_p50_s IS 'Seconds from acceptance to end: half of the jobs took no longer';
COMMENT ON COLUMN report.throughput.latency_p95_s IS 'Likewise, of 95 in 100';
COMMENT ON COLUMN report.throughput.latency_p99_s IS 'Likewise, of 99 in 100';
COMMENT ON COLUMN report.throughput.queue_time_p50_s IS 'Seconds from acceptance to a worker: half waited no longer';
COMMENT ON COLUMN report.throughput.queue_time_p95_s IS 'Likewise, of 95 in 100';
