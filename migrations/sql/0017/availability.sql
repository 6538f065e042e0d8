-- A day at a time, so that bounds on `day` spare the others. Days as the session's TimeZone has them.
CREATE VIEW report.availability AS
SELECT d.midnight::date AS day, a.host, a.reached, a.unreachable, a.login_refused,
       a.reached::float8 / nullif(a.reached + a.unreachable + a.login_refused, 0) AS ratio, a.last_reached_at
  FROM generate_series(
           (SELECT min(j.ended_at) FROM netpulse.job AS j)::date::timestamp,
           localtimestamp, interval '1 day') AS d (midnight)
 CROSS JOIN LATERAL (
       SELECT j.host, count(*) FILTER (WHERE j.session_reused IS NOT NULL) AS reached,
              count(*) FILTER (WHERE j.session_reused IS NULL AND j.error_type = 'Unreachable') AS unreachable,
              count(*) FILTER (WHERE j.session_reused IS NULL
                               AND j.error_type IN ('AuthenticationFailed', 'HostKeyMismatch')) AS login_refused,
              max(j.ended_at) FILTER (WHERE j.session_reused IS NOT NULL) AS last_reached_at
         FROM netpulse.job AS j
        WHERE j.ended_at >= d.midnight::timestamptz AND j.ended_at < (d.midnight + interval '1 day')::timestamptz
        GROUP BY j.host) AS a;

COMMENT ON VIEW report.availability IS
    'Whether devices were there when a job wanted them: one row per day and host. Quick by host, and by bounds on day';
COMMENT ON COLUMN report.availability.day IS 'Of the jobs'' ends, in the session''s time zone';
COMMENT ON COLUMN report.availability.host IS 'Name or address of the device as normalised, without the port';
COMMENT ON COLUMN report.availability.reached IS 'Jobs that had a session, however they ended';
COMMENT ON COLUMN report.availability.unreachable IS 'Jobs that found nobody there';
COMMENT ON COLUMN report.availability.login_refused IS 'Jobs that were not let in, or did not know the host key';
COMMENT ON COLUMN report.availability.ratio IS 'reached, of these three; null: no job got as far as trying';
COMMENT ON COLUMN report.availability.last_reached_at IS 'End of the last job that had a session';
