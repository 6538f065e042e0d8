-- Finds by host, and by time with bounds on changed_at. What a command said first on a device is no change.
-- Subqueries: see output.sql; those of columns that nobody asks for are not run. NOT IN of a subquery without a
-- variable of the next query outwards is hashed: configurations of thousands of lines are compared in milliseconds.
CREATE VIEW report.output_change AS
SELECT c.changed_at, c.host, c.device_key AS device, c.command, c.previous_seen_at,
       ARRAY(SELECT a.line
               FROM unnest(string_to_array((SELECT t.body FROM netpulse.output_text AS t WHERE t.digest = c.digest),
                                           E'\n')) WITH ORDINALITY AS a (line, number)
              WHERE a.line NOT IN (SELECT unnest(string_to_array(coalesce(
                        (SELECT t.body FROM netpulse.output_text AS t WHERE t.digest = c.previous_digest), ''), E'\n')))
              ORDER BY a.number) AS added,
       ARRAY(SELECT a.line
               FROM unnest(string_to_array((SELECT t.body FROM netpulse.output_text AS t WHERE t.digest = c.previous_digest),
                                           E'\n')) WITH ORDINALITY AS a (line, number)
              WHERE a.line NOT IN (SELECT unnest(string_to_array(coalesce(
                        (SELECT t.body FROM netpulse.output_text AS t WHERE t.digest = c.digest), ''), E'\n')))
              ORDER BY a.number) AS removed,
       CASE WHEN c.previous_digest IS NULL THEN ''
            ELSE (SELECT p.body FROM netpulse.output_text AS p WHERE p.digest = c.previous_digest) END AS before,
       coalesce((SELECT t.body FROM netpulse.output_text AS t WHERE t.digest = c.digest), '') AS after,
       c.previous_job_id, c.job_id
  FROM netpulse.output_change AS c
 WHERE c.previous_job_id IS NOT NULL;

COMMENT ON VIEW report.output_change IS
    'When a query said something else on a device than the time before. Quick by host, and by bounds on changed_at';
COMMENT ON COLUMN report.output_change.changed_at IS 'End of the job that showed it first';
COMMENT ON COLUMN report.output_change.host IS 'Name or address of the device as normalised, without the port';
COMMENT ON COLUMN report.output_change.device IS 'host:port, IPv6 in brackets';
COMMENT ON COLUMN report.output_change.command IS 'As it was sent';
COMMENT ON COLUMN report.output_change.previous_seen_at IS 'End of the last job that showed it as it was before';
COMMENT ON COLUMN report.output_change.added IS
    'Lines that were not there before, in order; GET /device/{host}/history has whole differences';
COMMENT ON COLUMN report.output_change.removed IS 'Lines that are there no more, in order';
COMMENT ON COLUMN report.output_change.before IS 'What it said until then; null: retention has removed it';
COMMENT ON COLUMN report.output_change.after IS 'What it said from then on';
COMMENT ON COLUMN report.output_change.previous_job_id IS 'The last job that showed it as it was before';
COMMENT ON COLUMN report.output_change.job_id IS 'The job that showed it first; retention may have removed it';
