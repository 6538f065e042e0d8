-- A day at a time, so that bounds on `day` spare the others. Days as the session's TimeZone has them.
CREATE VIEW report.failure AS
SELECT d.midnight::date AS day, f.host, f.error_type, f.jobs, f.first_at, f.last_at, f.last_message
  FROM generate_series(
           (SELECT min(j.ended_at) FROM netpulse.job AS j WHERE j.state = 'failed')::date::timestamp,
           localtimestamp, interval '1 day') AS d (midnight)
 CROSS JOIN LATERAL (
       SELECT j.host, j.error_type, count(*) AS jobs, min(j.ended_at) AS first_at, max(j.ended_at) AS last_at,
              (array_agg(j.error_message ORDER BY j.ended_at DESC))[1] AS last_message
         FROM netpulse.job AS j
        WHERE j.state = 'failed' AND j.ended_at >= d.midnight::timestamptz
          AND j.ended_at < (d.midnight + interval '1 day')::timestamptz
        GROUP BY j.host, j.error_type) AS f;

COMMENT ON VIEW report.failure IS
    'Jobs that failed: one row per day, host and kind of error. Quick by host, and by bounds on day';
COMMENT ON COLUMN report.failure.day IS 'Of the jobs'' ends, in the session''s time zone';
COMMENT ON COLUMN report.failure.host IS 'Name or address of the device as normalised, without the port';
COMMENT ON COLUMN report.failure.error_type IS 'One of the closed list of the API''s documentation';
COMMENT ON COLUMN report.failure.jobs IS 'How many';
COMMENT ON COLUMN report.failure.first_at IS 'End of the first of them';
COMMENT ON COLUMN report.failure.last_at IS 'End of the last of them';
COMMENT ON COLUMN report.failure.last_message IS 'What went wrong with the last of them';
