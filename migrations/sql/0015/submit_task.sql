-- Submit the job that starts a detached task, and make the task's row: p_job is a netpulse.new_job whose request becomes
-- the task's, without the sealed part of a webhook, which is kept aside until the task's end. What submit_jobs answers,
-- and the task: the first one's where an idempotency key was used before.
-- Locks what submit_jobs locks.
CREATE OR REPLACE FUNCTION netpulse.submit_task(p_job jsonb)
RETURNS TABLE (created boolean, conflict boolean, job_id uuid, task_id uuid)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_task uuid := netpulse.uuid7(clock_timestamp());
    v_new netpulse.new_job := jsonb_populate_record(NULL::netpulse.new_job, p_job);
    v_answer record;
BEGIN
    SELECT * INTO STRICT v_answer FROM netpulse.submit_jobs(jsonb_build_array(
        jsonb_set(p_job, '{request,task}', jsonb_build_object('id', v_task, 'action', 'start'))));
    IF v_answer.created THEN
        INSERT INTO netpulse.detached_task (
            id, driver, device_key, host, port, zone, job_id, request, sealed, command, submitted_by,
            told_offset)
        VALUES (v_task, v_new.driver, v_new.device_key, v_new.host, v_new.port, v_new.zone, v_answer.id,
                v_new.request - 'sealed_webhook',
                convert_to(v_new.sealed, 'UTF8'), v_new.request -> 'command' ->> 0, v_new.submitted_by,
                CASE WHEN jsonb_typeof(v_new.request -> 'options' -> 'webhook') = 'object' THEN 0 END);
    ELSE
        SELECT (j.request -> 'task' ->> 'id')::uuid INTO v_task FROM netpulse.job AS j WHERE j.id = v_answer.id;
    END IF;
    RETURN QUERY SELECT v_answer.created, v_answer.conflict, v_answer.id, v_task;
END
$$;
