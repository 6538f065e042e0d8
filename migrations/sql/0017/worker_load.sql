-- Few rows: one per start of a worker, until prune_workers removes the dead.
CREATE VIEW report.worker_load AS
SELECT w.id, w.name, w.node, w.pid, w.zone, w.state, w.capacity, w.busy, w.held_sessions,
       w.busy::float8 / w.capacity AS load, w.held_sessions::float8 / w.capacity AS fill,
       (SELECT count(*) FROM netpulse.device AS d WHERE d.worker_id = w.id) AS devices,
       w.successful_jobs, w.failed_jobs, w.born_at, w.heartbeat_at, w.died_at
  FROM netpulse.worker AS w;

COMMENT ON VIEW report.worker_load IS 'How full the workers are: one row per start of a worker; the dead stay for a while';
COMMENT ON COLUMN report.worker_load.id IS 'New at every start of the process';
COMMENT ON COLUMN report.worker_load.name IS 'node:pid';
COMMENT ON COLUMN report.worker_load.node IS 'Host name of the machine';
COMMENT ON COLUMN report.worker_load.pid IS 'Process on that machine';
COMMENT ON COLUMN report.worker_load.zone IS 'Part of the network that it reaches';
COMMENT ON COLUMN report.worker_load.state IS 'live, draining (takes no more) or dead';
COMMENT ON COLUMN report.worker_load.capacity IS 'Sessions that it holds at the most';
COMMENT ON COLUMN report.worker_load.busy IS 'Jobs running at the last heartbeat';
COMMENT ON COLUMN report.worker_load.held_sessions IS 'Sessions held at the last heartbeat';
COMMENT ON COLUMN report.worker_load.load IS 'busy as a part of capacity: 1 is full';
COMMENT ON COLUMN report.worker_load.fill IS 'held_sessions as a part of capacity; idle ones make room when needed';
COMMENT ON COLUMN report.worker_load.devices IS 'Devices that are its own';
COMMENT ON COLUMN report.worker_load.successful_jobs IS 'Since its start';
COMMENT ON COLUMN report.worker_load.failed_jobs IS 'Since its start';
COMMENT ON COLUMN report.worker_load.born_at IS 'Process start';
COMMENT ON COLUMN report.worker_load.heartbeat_at IS 'Last heartbeat';
COMMENT ON COLUMN report.worker_load.died_at IS 'When it left, or was declared dead';
