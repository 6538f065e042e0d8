-- Finds by host, and by time with bounds on ended_at.
CREATE VIEW report.change AS
SELECT j.id AS job_id, j.ended_at, j.created_at, j.submitted_by, j.host, j.device_key AS device, j.zone, j.driver,
       coalesce(j.rendered,
                CASE jsonb_typeof(j.request -> 'config')
                WHEN 'array' THEN (SELECT string_agg(l.line, E'\n' ORDER BY l.number)
                                     FROM jsonb_array_elements_text(j.request -> 'config')
                                          WITH ORDINALITY AS l (line, number))
                ELSE j.request ->> 'config' END) AS lines,
       coalesce((j.request #> '{options,dry_run}') = 'true', false) AS dry_run,
       j.difference, j.state, j.error_type, j.error_message, j.outcome, j.rollback, j.confirm_by, j.confirmed_at,
       s.name AS schedule, j.batch_id, j.wave
  FROM netpulse.job AS j
  LEFT JOIN netpulse.schedule AS s ON s.id = j.schedule_id
 WHERE j.operation = 'config';

COMMENT ON VIEW report.change IS
    'Who changed what, where and when: one row per configuration job. Quick by host, and by bounds on ended_at';
COMMENT ON COLUMN report.change.job_id IS 'Of report.job';
COMMENT ON COLUMN report.change.ended_at IS 'When it was done with; null: not yet';
COMMENT ON COLUMN report.change.created_at IS 'When it was asked for';
COMMENT ON COLUMN report.change.submitted_by IS 'Name of the API key';
COMMENT ON COLUMN report.change.host IS 'Name or address of the device as normalised, without the port';
COMMENT ON COLUMN report.change.device IS 'host:port, IPv6 in brackets';
COMMENT ON COLUMN report.change.zone IS 'Part of the network';
COMMENT ON COLUMN report.change.driver IS 'netmiko, napalm, …';
COMMENT ON COLUMN report.change.lines IS 'What was sent, or was to be: as rendered, or as the request had it';
COMMENT ON COLUMN report.change.dry_run IS 'True: nothing was to be changed, only shown';
COMMENT ON COLUMN report.change.difference IS
    'What it made different, or with dry_run would have, as the device tells; null: it tells nothing';
COMMENT ON COLUMN report.change.state IS 'finished: done; failed, cancelled; or not ended yet';
COMMENT ON COLUMN report.change.error_type IS 'One of the closed list of the API''s documentation; null: no error';
COMMENT ON COLUMN report.change.error_message IS 'What went wrong, in a sentence';
COMMENT ON COLUMN report.change.outcome IS 'Of one that failed: did the device get it? unknown: a person must look';
COMMENT ON COLUMN report.change.rollback IS 'Of one that was to be undone: done, failed or impossible';
COMMENT ON COLUMN report.change.confirm_by IS 'The device undoes it by itself unless it is confirmed before';
COMMENT ON COLUMN report.change.confirmed_at IS 'Confirmed by another job';
COMMENT ON COLUMN report.change.schedule IS 'Name of the schedule that fired it; null: none, or it is gone';
COMMENT ON COLUMN report.change.batch_id IS 'Shared by the jobs of one bulk request';
COMMENT ON COLUMN report.change.wave IS 'Of a rollout, from 0; null: not part of one';
