-- Submit up to p_limit jobs that look at detached tasks which nobody has looked at for p_every_s seconds, so that ends are
-- noticed without a client, and webhooks are told of all of the log of ended ones too; and such as remove what is left of
-- tasks that ended p_retention_s seconds ago, whose logins are wiped an hour later whatever came of it. Returns the number
-- of jobs.
-- Locks those tasks' rows, skipping locked ones, then what submit_jobs locks.
CREATE OR REPLACE FUNCTION netpulse.look_after_tasks(
    p_every_s double precision, p_retention_s double precision, p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_over timestamptz := v_now - p_retention_s * interval '1 second';
    v_task record;
    v_count integer := 0;
BEGIN
    UPDATE netpulse.detached_task SET sealed = NULL, look_at = NULL
     WHERE sealed IS NOT NULL AND ended_at < v_over - interval '1 hour';
    FOR v_task IN
        SELECT t.id, t.submitted_by, t.ended_at < v_over IS TRUE AS over FROM netpulse.detached_task AS t
         WHERE t.sealed IS NOT NULL AND (t.state <> 'starting' OR t.error IS NOT NULL) AND t.look_at <= v_now
           AND (t.ended_at IS NULL OR t.ended_at < v_over OR t.told_offset IS NOT NULL)
         ORDER BY t.look_at LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        UPDATE netpulse.detached_task
           SET look_at = v_now + CASE WHEN v_task.over THEN 600 ELSE p_every_s END * interval '1 second'
         WHERE id = v_task.id;
        PERFORM netpulse.act_on_task(
            v_task.id,
            jsonb_build_object('action', CASE WHEN v_task.over THEN 'forget' ELSE 'look' END),
            v_task.submitted_by);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END
$$;
