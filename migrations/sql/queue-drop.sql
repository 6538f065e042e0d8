ALTER TABLE procrastinate_jobs ENABLE TRIGGER USER;
DROP INDEX netpulse_lock_idx;
DROP INDEX netpulse_queue_idx;
DROP INDEX netpulse_queue_lock_idx;
