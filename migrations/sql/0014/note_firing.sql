-- Put on record that schedule p_schedule fires, or why it does not (p_skipped); of its records the latest hundred are
-- kept. For fire_schedule and run_schedule, which hold the schedule's row.
CREATE OR REPLACE FUNCTION netpulse.note_firing(p_schedule uuid, p_tick timestamptz, p_skipped text) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO netpulse.schedule_firing (schedule_id, tick, at, skipped, batch_id, rest_from)
    SELECT s.id, p_tick, clock_timestamp(), p_skipped,
           CASE WHEN p_skipped IS NULL AND s.body ? 'devices' THEN netpulse.uuid7(clock_timestamp()) END,
           CASE WHEN p_skipped IS NULL THEN 0 END
      FROM netpulse.schedule AS s WHERE s.id = p_schedule;
    DELETE FROM netpulse.schedule_firing AS f
     WHERE f.schedule_id = p_schedule AND f.rest_from IS NULL
       AND f.id <= (SELECT k.id FROM netpulse.schedule_firing AS k
                     WHERE k.schedule_id = p_schedule ORDER BY k.id DESC OFFSET 100 LIMIT 1);
$$;
