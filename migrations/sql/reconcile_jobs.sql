-- Worker p_worker compares: jobs that the database says it runs and that are not among p_known never reached it (the
-- reply of a claim was lost), so they go back to the queue. Returns how many; null if it was declared dead.
-- Only p_worker itself may call this, and never while a claim of its own is under way.
-- Locks the worker FOR UPDATE: waits for a claim that still runs on a dead connection.
CREATE OR REPLACE FUNCTION netpulse.reconcile_jobs(p_worker bigint, p_known uuid[]) RETURNS integer
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM netpulse.worker WHERE id = p_worker AND state <> 'dead' FOR UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    RETURN netpulse.requeue_jobs(ARRAY(
        SELECT j.id FROM netpulse.job AS j
         WHERE j.worker_id = p_worker AND j.state IN ('claimed', 'started') AND j.id <> ALL (p_known)));
END
$$;
