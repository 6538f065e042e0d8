-- Fire schedule p_schedule at once, whether it is enabled or not; its ticks stay as they are. One row: `obstacle` says why
-- nothing was queued; null: job or batch is the one that was. `rest`: jobs are left for queue_firing. No row: there is no
-- such schedule. Locks the schedule's row to the end of the transaction, then what submit_jobs does.
CREATE OR REPLACE FUNCTION netpulse.run_schedule(p_schedule uuid)
RETURNS TABLE (obstacle text, job_id uuid, batch_id uuid, rest boolean)
LANGUAGE plpgsql
SET lock_timeout = '10s'
AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM netpulse.schedule AS s WHERE s.id = p_schedule FOR UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    obstacle := coalesce(netpulse.schedule_obstacle(p_schedule), (
        SELECT 'a firing is under way' FROM netpulse.schedule_firing AS f
         WHERE f.schedule_id = p_schedule AND f.rest_from IS NOT NULL LIMIT 1));
    IF obstacle IS NULL THEN
        PERFORM netpulse.note_firing(p_schedule, NULL, NULL);
        rest := netpulse.queue_firing(p_schedule);
        SELECT f.skipped, f.job_id, f.batch_id INTO obstacle, job_id, batch_id
          FROM netpulse.schedule_firing AS f WHERE f.schedule_id = p_schedule ORDER BY f.id DESC LIMIT 1;
    END IF;
    RETURN NEXT;
END
$$;
