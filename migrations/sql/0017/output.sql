-- Finds by job_id, by host, by parsed (@>), and by time with bounds on ended_at.
-- Texts by subqueries, here and in other views: a join might read all texts that there are to find a few thousand.
CREATE VIEW report.output AS
SELECT o.job_id, o."position", j.host, j.device_key AS device, j.zone, o.command, o.phase, o.verdict,
       coalesce((SELECT t.body FROM netpulse.output_text AS t WHERE t.digest = o.digest), '') AS stdout, o.stderr, o.exit_status, o.parsed, o.parsing_error, o.size_bytes, o.started_at,
       o.duration_s, j.ended_at
  FROM netpulse.job_output AS o
  JOIN netpulse.job AS j ON j.id = o.job_id;

COMMENT ON VIEW report.output IS
    'What devices said: one row per command or line of a job. Quick by job_id, host, parsed (@>), and bounds on ended_at';
COMMENT ON COLUMN report.output.job_id IS 'Of report.job';
COMMENT ON COLUMN report.output."position" IS 'From 0, in the order of the request';
COMMENT ON COLUMN report.output.host IS 'Name or address of the device as normalised, without the port';
COMMENT ON COLUMN report.output.device IS 'host:port, IPv6 in brackets';
COMMENT ON COLUMN report.output.zone IS 'Part of the network';
COMMENT ON COLUMN report.output.command IS 'The command or configuration line';
COMMENT ON COLUMN report.output.phase IS 'Of a change: main, before, after or undo; otherwise main';
COMMENT ON COLUMN report.output.verdict IS 'done, refused by the device, or skipped';
COMMENT ON COLUMN report.output.stdout IS 'What the device said; empty too where it was not to be kept';
COMMENT ON COLUMN report.output.stderr IS 'What came on the other channel, where there is one';
COMMENT ON COLUMN report.output.exit_status IS '0 done, 1 refused, null skipped; the process''s own where there is one';
COMMENT ON COLUMN report.output.parsed IS 'The records that a template made of it';
COMMENT ON COLUMN report.output.parsing_error IS 'Why parsed is null, where parsing was asked for';
COMMENT ON COLUMN report.output.size_bytes IS 'Of what the device said, kept or not, in UTF-8';
COMMENT ON COLUMN report.output.started_at IS 'Sent; by the worker''s clock';
COMMENT ON COLUMN report.output.duration_s IS 'Seconds until the device had answered';
COMMENT ON COLUMN report.output.ended_at IS 'End of the job; null: it runs';
