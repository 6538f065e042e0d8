-- Declare worker p_worker dead, or let it leave, and hand over all it had, atomically. p_beat: the heartbeat that the
-- reaper saw stand still; null when the worker itself leaves. Returns null, and does nothing, if it is dead already or
-- has beaten since; else {lost, requeued, moved}.
--
-- A query goes back to the queue, as does a change that never reached its device (`claimed`). A change that was
-- `started` ends as WorkerLost, outcome unknown. A query whose workers keep dying (5 claims) ends as WorkerLost too.
--
-- Locks: the worker FOR UPDATE (against claims and placement), its devices in key order (waits for submissions in
-- flight), job rows, queue rows. Each step is a statement of its own, so that it sees what the locks waited for.
CREATE OR REPLACE FUNCTION netpulse.reap_worker(p_worker bigint, p_beat bigint DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    v_worker netpulse.worker;
    v_lost uuid[];
    v_queue_ids bigint[];
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

    WITH running AS (
        SELECT j.id, j.queue_job_id FROM netpulse.job AS j
         WHERE j.worker_id = p_worker
           AND ((j.state = 'started' AND j.operation = 'config') OR (j.state IN ('claimed', 'started') AND j.attempts >= 5))
           FOR NO KEY UPDATE
    ), ended AS (
        UPDATE netpulse.job AS j
           SET state = 'failed', error_type = 'WorkerLost', ended_at = clock_timestamp(), sealed = NULL,
               queue_job_id = NULL, outcome = CASE j.operation WHEN 'config' THEN 'unknown' ELSE 'known' END,
               error_message = CASE j.operation
                   WHEN 'config' THEN 'The worker was lost while it applied the change: look at the device before you repeat it.'
                   ELSE 'Five workers in a row were lost while they ran the job.' END
          FROM running WHERE j.id = running.id
        RETURNING j.id, running.queue_job_id)
    SELECT array_agg(e.id), array_agg(e.queue_job_id) INTO v_lost, v_queue_ids FROM ended AS e;
    DELETE FROM procrastinate_jobs WHERE id = ANY (v_queue_ids);
    PERFORM netpulse.announce('netpulse_job_ended', v_lost);

    v_requeued := netpulse.requeue_jobs(ARRAY(
        SELECT j.id FROM netpulse.job AS j WHERE j.worker_id = p_worker AND j.state IN ('claimed', 'started')));

    v_moved := netpulse.hand_over_devices(p_worker);
    PERFORM netpulse.wake('fifo:' || v_worker.zone);
    RETURN jsonb_build_object('lost', coalesce(cardinality(v_lost), 0), 'requeued', v_requeued, 'moved', v_moved);
END
$$;
