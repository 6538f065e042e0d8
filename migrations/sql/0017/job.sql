-- Finds by id, host, batch_id, schedule_id, and by time with bounds on ended_at.
CREATE VIEW report.job AS
SELECT j.id, j.batch_id, j.schedule_id, s.name AS schedule, j.host, j.device_key AS device, j.zone, j.driver, j.operation,
       j.strategy, j.state, j.priority, j.error_type, j.error_message, j.outcome, j.rollback, j.submitted_by, j.worker,
       j.attempts, j.session_reused, j.wave, j.created_at, j.started_at, j.ended_at,
       extract(epoch FROM j.started_at - j.created_at)::float8 AS queue_time_s,
       extract(epoch FROM j.ended_at - j.started_at)::float8 AS duration_s,
       extract(epoch FROM j.ended_at - j.created_at)::float8 AS latency_s,
       j.request
  FROM netpulse.job AS j
  LEFT JOIN netpulse.schedule AS s ON s.id = j.schedule_id;

COMMENT ON VIEW report.job IS 'One row per job. Quick by id, host, batch_id, schedule_id, and by bounds on ended_at';
COMMENT ON COLUMN report.job.id IS 'As the API calls it; UUID version 7: sorts by the time of acceptance';
COMMENT ON COLUMN report.job.batch_id IS 'Shared by the jobs of one bulk request';
COMMENT ON COLUMN report.job.schedule_id IS 'The schedule that fired it';
COMMENT ON COLUMN report.job.schedule IS 'Name of that schedule; null: none, or it is gone';
COMMENT ON COLUMN report.job.host IS 'Name or address of the device as normalised, without the port';
COMMENT ON COLUMN report.job.device IS 'host:port, IPv6 in brackets';
COMMENT ON COLUMN report.job.zone IS 'Part of the network';
COMMENT ON COLUMN report.job.driver IS 'netmiko, napalm, …';
COMMENT ON COLUMN report.job.operation IS 'command: reads; config: changes; confirm, upload, download, task, test';
COMMENT ON COLUMN report.job.strategy IS 'pinned: in order, on the holder of the device; fifo: anywhere, in parallel';
COMMENT ON COLUMN report.job.state IS 'queued, claimed (the API says started), started; finished, failed or cancelled';
COMMENT ON COLUMN report.job.priority IS 'Higher first';
COMMENT ON COLUMN report.job.error_type IS 'One of the closed list of the API''s documentation; null: no error';
COMMENT ON COLUMN report.job.error_message IS 'What went wrong, in a sentence';
COMMENT ON COLUMN report.job.outcome IS 'Of a change that failed: did the device get it? unknown: a person must look';
COMMENT ON COLUMN report.job.rollback IS 'Of a change that was to be undone: done, failed or impossible';
COMMENT ON COLUMN report.job.submitted_by IS 'Name of the API key';
COMMENT ON COLUMN report.job.worker IS 'The worker that had it last: node:pid';
COMMENT ON COLUMN report.job.attempts IS 'Times that a worker took it';
COMMENT ON COLUMN report.job.session_reused IS 'False: it paid for a login; null: the device was not reached';
COMMENT ON COLUMN report.job.wave IS 'Of a rollout, from 0; null: not part of one';
COMMENT ON COLUMN report.job.created_at IS 'Accepted';
COMMENT ON COLUMN report.job.started_at IS 'Taken by the worker that ran it';
COMMENT ON COLUMN report.job.ended_at IS 'Finished, failed or cancelled; null: not yet';
COMMENT ON COLUMN report.job.queue_time_s IS 'Seconds from created_at to started_at';
COMMENT ON COLUMN report.job.duration_s IS 'Seconds from started_at to ended_at';
COMMENT ON COLUMN report.job.latency_s IS 'Seconds from created_at to ended_at';
COMMENT ON COLUMN report.job.request IS 'As it was sent; every secret reads ***';
