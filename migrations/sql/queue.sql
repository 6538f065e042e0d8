-- claim_jobs: the first waiting job of each device in a worker's queue.
CREATE INDEX netpulse_queue_lock_idx ON procrastinate_jobs (queue_name, lock, priority DESC, id) WHERE status = 'todo';
-- claim_jobs: a zone's fifo jobs.
CREATE INDEX netpulse_queue_idx ON procrastinate_jobs (queue_name, priority DESC, id) WHERE status = 'todo';
-- reroute_jobs, adopt_devices, release_devices: has this device jobs?
CREATE INDEX netpulse_lock_idx ON procrastinate_jobs (lock) WHERE status IN ('todo', 'doing');
-- The job's row is its history and wake() its notice, one per transaction: procrastinate's event rows would be written
-- for nobody, and its notices, one per row, serialise commits.
ALTER TABLE procrastinate_jobs DISABLE TRIGGER USER;
