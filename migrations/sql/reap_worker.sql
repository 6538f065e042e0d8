-- Declare worker p_worker dead, or let it leave, and hand over all it had, atomically. p_beat: the heartbeat that the
-- reaper saw stand still; null when the worker itself leaves, or somebody stops it. Returns null, and does nothing, if
-- it is dead already or has beaten since; else {lost, requeued, moved}.
--
-- A query goes back to the queue, as does a change that never reached its device (`claimed`); with p_end_running they
-- end as WorkerLost, outcome known. A change that was `started` ends as WorkerLost, outcome unknown. A job whose workers
-- keep dying (5 claims) ends as WorkerLost too.
--
-- Locks: the worker FOR UPDATE (against claims and placement), its devices in key order (waits for submissions in
-- flight), job rows by id, queue rows. Each step is a statement of its own, so that it sees what the locks waited for.
-- Reaping several in one transaction could deadlock with a submission to devices of both: see stop_workers.
CREATE OR REPLACE FUNCTION netpulse.reap_worker(
    p_worker bigint, p_beat bigint DEFAULT NULL, p_end_running boolean DEFAULT false) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_worker netpulse.worker;
    v_lost integer;
    v_requeued integer;
    v_moved integer;
BEGIN
    SELECT * INTO v_worker FROM netpulse.worker WHERE id = p_worker FOR UPDATE;
    IF NOT FOUND OR v_worker.state = 'dead' OR v_worker.beat <> coalesce(p_beat, v_worker.beat) THEN
        RETURN NULL;
    END IF;
    UPDATE netpulse.worker SET state = 'dead', died_at = clock_timestamp(), busy = 0, held_sessions = 0
     WHERE id = p_worker;
    PERFORM FROM netpulse.device WHERE worker_id = p_worker ORDER BY key FOR UPDATE;

    v_lost := netpulse.lose_jobs(p_worker, p_end_running);
    v_requeued := netpulse.requeue_jobs(ARRAY(
        SELECT j.id FROM netpulse.job AS j WHERE j.worker_id = p_worker AND j.state IN ('claimed', 'started')));
    -- A queue row whose job somebody deleted would keep its device from everybody.
    DELETE FROM procrastinate_jobs AS q
     WHERE q.worker_id = v_worker.queue_worker_id AND q.status = 'doing'
       AND NOT EXISTS (SELECT FROM netpulse.job AS j WHERE j.id = (q.args ->> 'job_id')::uuid);
    v_moved := netpulse.hand_over_devices(p_worker);

    DELETE FROM netpulse.session WHERE worker_id = p_worker;
    DELETE FROM procrastinate_workers WHERE id = v_worker.queue_worker_id;
    PERFORM netpulse.wake('fifo:' || v_worker.zone);
    RETURN jsonb_build_object('lost', v_lost, 'requeued', v_requeued, 'moved', v_moved);
END
$$;

-- End those running jobs of worker p_worker that may not run again (p_all: all of them) as WorkerLost; returns how many.
-- The caller holds the worker's row FOR UPDATE. Locks job rows by id, then queue rows.
CREATE OR REPLACE FUNCTION netpulse.lose_jobs(p_worker bigint, p_all boolean) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_ids uuid[];
    v_queue_ids bigint[];
BEGIN
    WITH running AS (
        SELECT j.id, j.queue_job_id, j.state = 'started' AND j.operation = 'config' AS began FROM netpulse.job AS j
         WHERE j.worker_id = p_worker AND j.state IN ('claimed', 'started')
           AND (p_all OR (j.state = 'started' AND j.operation = 'config') OR j.attempts >= 5)
         ORDER BY j.id FOR NO KEY UPDATE
    ), ended AS (
        UPDATE netpulse.job AS j
           SET state = 'failed', error_type = 'WorkerLost', ended_at = clock_timestamp(), sealed = NULL,
               queue_job_id = NULL, outcome = CASE WHEN running.began THEN 'unknown' ELSE 'known' END,
               error_message = CASE
                   WHEN running.began THEN 'The worker was lost while it applied the change: look at the device before you repeat it.'
                   WHEN p_all THEN 'The worker was stopped while it ran the job.'
                   ELSE 'Five workers in a row were lost while they ran the job.' END
          FROM running WHERE j.id = running.id
        RETURNING j.id, running.queue_job_id)
    SELECT array_agg(e.id), array_agg(e.queue_job_id) INTO v_ids, v_queue_ids FROM ended AS e;
    DELETE FROM procrastinate_jobs WHERE id = ANY (v_queue_ids);
    PERFORM netpulse.announce('netpulse_job_ended', v_ids);
    RETURN coalesce(cardinality(v_ids), 0);
END
$$;
