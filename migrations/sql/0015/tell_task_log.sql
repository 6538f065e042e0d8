-- Job p_job of worker p_worker has read p_text, bytes p_offset to p_next_offset of detached task p_task's log: make it an
-- event of the task's webhook, unless another look was first. p_last: the task has ended, and there is no more.
-- Returns the byte from which on the webhook has not been told, also where p_offset is null; null: it is not to be told
-- anything now, as there is none, it was told of the end, 64 events wait for it already, or the job is no longer p_worker's.
-- Locks the job's row, then the task's, then its row of webhook_secret FOR SHARE, so that it is not sealed again between
-- being copied and the copy's being seen.
CREATE FUNCTION netpulse.tell_task_log(
    p_worker bigint, p_job uuid, p_task uuid, p_offset bigint, p_next_offset bigint, p_text text, p_last boolean)
RETURNS bigint
LANGUAGE plpgsql
SET enable_seqscan = off  -- plans are kept: one made while the tables were small must be right when they are large
AS $$
DECLARE
    v_task netpulse.detached_task;
    v_sealed bytea;
BEGIN
    IF NOT netpulse.holds_job(p_worker, p_job) THEN RETURN NULL; END IF;
    SELECT * INTO v_task FROM netpulse.detached_task WHERE id = p_task FOR NO KEY UPDATE;
    IF v_task.told_offset IS NULL
       OR (SELECT count(*) FROM netpulse.webhook_delivery AS d
            WHERE d.job_id = v_task.job_id AND d.state IN ('due', 'sending')) >= 64 THEN
        RETURN NULL;
    END IF;
    IF v_task.told_offset IS DISTINCT FROM p_offset THEN RETURN v_task.told_offset; END IF;
    IF p_text <> '' THEN
        SELECT s.sealed INTO v_sealed FROM netpulse.webhook_secret AS s WHERE s.job_id = v_task.job_id FOR SHARE;
        PERFORM netpulse.queue_task_event(v_task, 'task.log', v_sealed, jsonb_build_object(
            'text', p_text, 'offset', p_offset, 'next_offset', p_next_offset));
    END IF;
    UPDATE netpulse.detached_task AS t
       SET told_offset = CASE WHEN p_last THEN greatest(t.log_size, p_next_offset) ELSE p_next_offset END
     WHERE t.id = p_task
    RETURNING t.told_offset INTO v_task.told_offset;
    RETURN v_task.told_offset;
END
$$;
