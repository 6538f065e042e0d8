-- Asks job_host_idx for the latest job of each device; finds by host. The planner takes the device key for a condition
-- of its own, of which few jobs of a host are true, and would read all of them: CASE keeps it from guessing.
CREATE VIEW report.device AS
SELECT d.host, d.port, d.key AS device, d.zone, w.name AS worker, d.submitted_at AS last_submitted_at,
       seen.ended_at AS last_seen_at, seen.id AS last_seen_job_id, last.state AS last_state,
       last.error_type AS last_error_type, last.ended_at AS last_ended_at
  FROM netpulse.device AS d
  LEFT JOIN netpulse.worker AS w ON w.id = d.worker_id
  LEFT JOIN LATERAL (
       SELECT j.id, j.ended_at FROM netpulse.job AS j
        WHERE j.host = d.host AND CASE WHEN j.device_key = d.key THEN true END AND j.session_reused IS NOT NULL AND j.ended_at IS NOT NULL
        ORDER BY j.id DESC LIMIT 1) AS seen ON true
  LEFT JOIN LATERAL (
       SELECT j.state, j.error_type, j.ended_at FROM netpulse.job AS j
        WHERE j.host = d.host AND CASE WHEN j.device_key = d.key THEN true END AND j.ended_at IS NOT NULL
        ORDER BY j.id DESC LIMIT 1) AS last ON true;

COMMENT ON VIEW report.device IS 'What was heard of each device to which a pinned job was ever sent. Quick by host';
COMMENT ON COLUMN report.device.host IS 'Name or address as normalised, without the port';
COMMENT ON COLUMN report.device.port IS 'Of the login';
COMMENT ON COLUMN report.device.device IS 'host:port, IPv6 in brackets';
COMMENT ON COLUMN report.device.zone IS 'Part of the network';
COMMENT ON COLUMN report.device.worker IS 'The worker that holds it: node:pid; null: nobody';
COMMENT ON COLUMN report.device.last_submitted_at IS 'Last submission of a pinned job';
COMMENT ON COLUMN report.device.last_seen_at IS
    'End of the latest job that had a session on it; null: there is none in the history';
COMMENT ON COLUMN report.device.last_seen_job_id IS 'That job';
COMMENT ON COLUMN report.device.last_state IS 'How the latest job on it ended: finished, failed or cancelled';
COMMENT ON COLUMN report.device.last_error_type IS 'With which error';
COMMENT ON COLUMN report.device.last_ended_at IS 'When';
