-- Submit a job that does something about detached task p_task, with the login that the task keeps. p_action: {action:
-- look | stop | forget, offset, size, wait_s}. Returns the job's id; null if the task's login is gone, and while its start
-- has not ended: its host knows nothing of it yet.
-- Locks the task's row FOR NO KEY UPDATE, then what submit_jobs locks.
CREATE OR REPLACE FUNCTION netpulse.act_on_task(p_task uuid, p_action jsonb, p_submitted_by text) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_task netpulse.detached_task;
    v_job uuid;
BEGIN
    SELECT * INTO v_task FROM netpulse.detached_task WHERE id = p_task AND sealed IS NOT NULL
       AND (state <> 'starting' OR error IS NOT NULL) FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    SELECT s.id INTO v_job FROM netpulse.submit_jobs(jsonb_build_array(jsonb_build_object(
        'driver', v_task.driver, 'operation', 'task', 'device_key', v_task.device_key, 'host', v_task.host,
        'port', v_task.port, 'zone', v_task.zone, 'strategy', 'fifo', 'priority', 0,
        'request', v_task.request || jsonb_build_object('task', p_action || jsonb_build_object('id', p_task)),
        'sealed', convert_from(v_task.sealed, 'UTF8'), 'ttl_s', 60, 'execution_timeout_s', 120, 'max_attempts', 1,
        'submitted_by', p_submitted_by))) AS s;
    RETURN v_job;
END
$$;
