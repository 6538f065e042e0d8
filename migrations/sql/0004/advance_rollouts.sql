-- The jobs of rollouts, and which of them still wait for their wave.
-- No join: one that is planned without statistics compares each job with each row of the queue.
CREATE OR REPLACE VIEW netpulse.rollout_job AS
    SELECT j.id, j.batch_id, j.wave, j.state, j.ended_at,
           coalesce(j.state = 'queued' AND (SELECT q.queue_name FROM procrastinate_jobs AS q WHERE q.id = j.queue_job_id)
                    = 'held', false) AS held
      FROM netpulse.job AS j
     WHERE j.wave IS NOT NULL;

-- Put the held jobs of a batch's wave into the queues where workers look. Their time to live begins now. A device that
-- meanwhile moved to another zone moves back if nothing waits or runs there; else its job stays where it is until then.
-- Locks the devices' rows in key order, as submit_jobs does, then queue rows, then job rows.
CREATE OR REPLACE FUNCTION netpulse.release_wave(p_batch uuid, p_wave integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_ids uuid[] := ARRAY(
        SELECT r.id FROM netpulse.rollout_job AS r WHERE r.batch_id = p_batch AND r.wave = p_wave AND r.held);
    v_queues text[];
BEGIN
    PERFORM FROM netpulse.device AS d
      WHERE d.key IN (SELECT j.device_key FROM netpulse.job AS j WHERE j.id = ANY (v_ids))
      ORDER BY d.key FOR NO KEY UPDATE;
    PERFORM netpulse.move_device(j.device_key, j.zone)
       FROM netpulse.job AS j JOIN netpulse.device AS d ON d.key = j.device_key AND d.zone <> j.zone
      WHERE j.id = ANY (v_ids) AND j.strategy = 'pinned';
    WITH released AS (
        UPDATE procrastinate_jobs AS q
           SET queue_name = CASE WHEN j.strategy = 'fifo' THEN 'fifo:' || j.zone
                                 ELSE coalesce('w:' || d.worker_id, 'pinned:' || d.zone) END,
               lock = CASE WHEN j.strategy = 'pinned' THEN j.device_key END
          FROM netpulse.job AS j LEFT JOIN netpulse.device AS d ON d.key = j.device_key
         WHERE j.id = ANY (v_ids) AND q.id = j.queue_job_id AND q.status = 'todo'
           AND (j.strategy = 'fifo' OR j.zone = d.zone)  -- two workers must not speak to one device
        RETURNING q.queue_name, j.id
    ), timed AS (
        UPDATE netpulse.job AS j SET expires_at = clock_timestamp() + (j.expires_at - j.created_at - interval '7 days')
         WHERE j.id IN (SELECT r.id FROM released AS r)
    )
    SELECT array_agg(DISTINCT r.queue_name) INTO v_queues FROM released AS r;
    PERFORM netpulse.wake(v) FROM unnest(v_queues) AS v;
END
$$;

-- Cancel what is left of a rollout: no wave after the one that failed is begun, nor what is left of that one.
-- Locks queue rows, then job rows, as cancel_jobs does.
CREATE OR REPLACE FUNCTION netpulse.stop_rollout(p_batch uuid, p_failures bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_queue_ids bigint[];
    v_ids uuid[];
BEGIN
    v_queue_ids := ARRAY(
        SELECT q.id FROM procrastinate_jobs AS q
         WHERE q.id IN (SELECT j.queue_job_id FROM netpulse.job AS j WHERE j.batch_id = p_batch AND j.state = 'queued')
           AND q.status = 'todo'
         ORDER BY q.id FOR UPDATE);
    WITH ended AS (
        UPDATE netpulse.job AS j
           SET state = 'cancelled', error_type = 'Cancelled', outcome = 'known', ended_at = clock_timestamp(),
               error_message = format('The rollout stopped after %s failed jobs; the device was not touched.', p_failures),
               sealed = NULL, queue_job_id = NULL
         WHERE j.queue_job_id = ANY (v_queue_ids) AND j.state = 'queued'
        RETURNING j.id)
    SELECT array_agg(e.id) INTO v_ids FROM ended AS e;
    DELETE FROM procrastinate_jobs WHERE id = ANY (v_queue_ids);
    PERFORM netpulse.announce('netpulse_job_ended', v_ids);
END
$$;

-- Let every rollout go on, or stop: the next wave is released when all released jobs have ended, nothing more when more jobs
-- than allowed have failed. While the bulk is still being accepted (ten minutes at the most), nothing is decided.
-- Returns how many rollouts there are under way. Locks the rollouts' rows, then what release_wave and stop_rollout lock.
CREATE OR REPLACE FUNCTION netpulse.advance_rollouts() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_rollout record;
    v_jobs record;
    v_running integer := 0;
BEGIN
    FOR v_rollout IN
        SELECT r.* FROM netpulse.rollout AS r WHERE r.state = 'running' ORDER BY r.batch_id FOR UPDATE SKIP LOCKED
    LOOP
        v_running := v_running + 1;
        CONTINUE WHEN v_rollout.accepting AND v_rollout.created_at > now() - interval '10 minutes';
        SELECT count(*) FILTER (WHERE r.state = 'failed') AS failed,
               count(*) FILTER (WHERE r.ended_at IS NULL AND NOT r.held) AS released,
               min(r.wave) FILTER (WHERE r.held) AS next_wave
          INTO v_jobs FROM netpulse.rollout_job AS r WHERE r.batch_id = v_rollout.batch_id;
        IF v_jobs.failed > v_rollout.max_failures THEN
            PERFORM netpulse.stop_rollout(v_rollout.batch_id, v_jobs.failed);
            UPDATE netpulse.rollout SET state = 'stopped', ended_at = clock_timestamp() WHERE batch_id = v_rollout.batch_id;
        ELSIF v_jobs.released = 0 THEN
            IF v_jobs.next_wave IS NULL THEN
                UPDATE netpulse.rollout SET state = 'done', ended_at = clock_timestamp() WHERE batch_id = v_rollout.batch_id;
            ELSE
                PERFORM netpulse.release_wave(v_rollout.batch_id, v_jobs.next_wave);
            END IF;
        END IF;
    END LOOP;
    RETURN v_running;
END
$$;
