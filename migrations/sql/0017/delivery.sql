-- Finds by job_id, receiver, those not delivered, and by time with bounds on created_at.
CREATE VIEW report.delivery AS
SELECT d.id, d.job_id, j.host, j.submitted_by, d.event_type, d.url, d.receiver, d.state, d.attempts, d.created_at,
       d.next_at, d.delivered_at, d.failed_at, a.started_at AS last_attempt_at, a.duration_s AS last_duration_s,
       a.status AS last_status, a.error AS last_error
  FROM netpulse.webhook_delivery AS d
  JOIN netpulse.job AS j ON j.id = d.job_id
  LEFT JOIN netpulse.webhook_attempt AS a ON a.delivery_id = d.id AND a.number = d.attempts;

COMMENT ON VIEW report.delivery IS
    'Webhooks: one row per message to a receiver. Quick by job_id, receiver, state (all but delivered), created_at';
COMMENT ON COLUMN report.delivery.id IS 'UUID version 7; the receiver sees it in each attempt';
COMMENT ON COLUMN report.delivery.job_id IS 'What it tells of';
COMMENT ON COLUMN report.delivery.host IS 'Device of that job: name or address as normalised, without the port';
COMMENT ON COLUMN report.delivery.submitted_by IS 'Name of the API key of that job';
COMMENT ON COLUMN report.delivery.event_type IS 'job.completed, job.failed or job.cancelled';
COMMENT ON COLUMN report.delivery.url IS 'Where to; what follows the host reads ***';
COMMENT ON COLUMN report.delivery.receiver IS 'scheme://host:port';
COMMENT ON COLUMN report.delivery.state IS 'due, sending, delivered, or failed: given up';
COMMENT ON COLUMN report.delivery.attempts IS 'Begun so far';
COMMENT ON COLUMN report.delivery.created_at IS 'The job''s end';
COMMENT ON COLUMN report.delivery.next_at IS 'Due: when to try; null: it is over';
COMMENT ON COLUMN report.delivery.delivered_at IS 'The receiver said that it has it';
COMMENT ON COLUMN report.delivery.failed_at IS 'Given up';
COMMENT ON COLUMN report.delivery.last_attempt_at IS 'Beginning of the last attempt';
COMMENT ON COLUMN report.delivery.last_duration_s IS 'Seconds that it took; null: under way, or its worker was lost';
COMMENT ON COLUMN report.delivery.last_status IS 'HTTP status of its answer; null: there was none';
COMMENT ON COLUMN report.delivery.last_error IS 'Why it failed; null: it did not, or is under way';
