-- Finds by host and by command. Subqueries: see output.sql.
CREATE VIEW report.latest_output AS
SELECT l.host, l.device_key AS device, l.command, coalesce((SELECT t.body FROM netpulse.output_text AS t WHERE t.digest = l.digest), '') AS stdout,
       (SELECT o.parsed FROM netpulse.job_output AS o WHERE o.job_id = l.job_id AND o."position" = l."position") AS parsed,
       l.seen_at, l.job_id
  FROM netpulse.output_latest AS l;

COMMENT ON VIEW report.latest_output IS
    'What each query said last on each device: one row per device and command. Quick by host, and by command';
COMMENT ON COLUMN report.latest_output.host IS 'Name or address of the device as normalised, without the port';
COMMENT ON COLUMN report.latest_output.device IS 'host:port, IPv6 in brackets';
COMMENT ON COLUMN report.latest_output.command IS 'As it was sent';
COMMENT ON COLUMN report.latest_output.stdout IS 'What the device said';
COMMENT ON COLUMN report.latest_output.parsed IS 'The records that a template made of it; null: none, or the job is gone';
COMMENT ON COLUMN report.latest_output.seen_at IS 'End of the job that showed it';
COMMENT ON COLUMN report.latest_output.job_id IS 'That job; retention may have removed it';
