-- Finds by actor, host, job_id, batch_id, request_id, what was refused, and by time with bounds on at.
CREATE VIEW report.audit AS
SELECT e.id, e.at, e.actor, e.client, e.request_id, e.action, e.host, e.subject, e.allowed, e.reason, e.job_id,
       e.batch_id, e.detail
  FROM netpulse.audit_event AS e;

COMMENT ON VIEW report.audit IS
    'Who asked for what, from where, and whether it was allowed. Quick by bounds on at, and by actor, host, job_id';
COMMENT ON COLUMN report.audit.id IS 'In the order of recording';
COMMENT ON COLUMN report.audit.at IS 'When it was decided';
COMMENT ON COLUMN report.audit.actor IS 'Name of the API key; cli: the command line; null: no known key';
COMMENT ON COLUMN report.audit.client IS 'Address that it came from; null: the command line';
COMMENT ON COLUMN report.audit.request_id IS 'The answer''s X-Request-ID';
COMMENT ON COLUMN report.audit.action IS 'Method and route, such as POST /device/execute; or the command';
COMMENT ON COLUMN report.audit.host IS 'On which device; null: on none, or on those of the batch';
COMMENT ON COLUMN report.audit.subject IS 'On what else: a credential''s path, a key''s name, …';
COMMENT ON COLUMN report.audit.allowed IS 'False: it was refused';
COMMENT ON COLUMN report.audit.reason IS 'Why it was not allowed';
COMMENT ON COLUMN report.audit.job_id IS 'What it led to';
COMMENT ON COLUMN report.audit.batch_id IS 'What it led to';
COMMENT ON COLUMN report.audit.detail IS 'What else there is to say; no secrets';
