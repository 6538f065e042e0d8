-- The tick p_tick of schedule p_schedule is due: queue its jobs, or their first part, and move on to the tick p_next, in
-- this transaction. Of any number of callers one does it: nothing is done unless p_tick is still the next one, and
-- nobody has changed the schedule since p_updated_at, when its caller read it.
-- p_skipped: a reason why nothing is to be queued for this tick; null: queue, if there is no obstacle. p_next null: never.
-- Returns `fired`, `part` (the rest of it is queue_firing's), `skipped`, or null: it was another one's.
-- A tick that finds a firing under way, where that is no obstacle, waits for its end: null.
-- Locks the schedule's row (SKIP LOCKED) to the end of the transaction, then what submit_jobs does.
CREATE OR REPLACE FUNCTION netpulse.fire_schedule(
    p_schedule uuid, p_tick timestamptz, p_updated_at timestamptz, p_next timestamptz, p_skipped text DEFAULT NULL)
RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_skipped text := p_skipped;
BEGIN
    PERFORM FROM netpulse.schedule AS s
      WHERE s.id = p_schedule AND s.next_at = p_tick AND s.updated_at = p_updated_at AND s.next_at <= clock_timestamp()
        FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN NULL; END IF;

    v_skipped := coalesce(v_skipped, netpulse.schedule_obstacle(p_schedule));
    IF v_skipped IS NULL AND EXISTS (SELECT FROM netpulse.schedule_firing AS f
                                      WHERE f.schedule_id = p_schedule AND f.rest_from IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    UPDATE netpulse.schedule SET next_at = p_next WHERE id = p_schedule;
    IF EXISTS (SELECT FROM netpulse.schedule_firing AS f WHERE f.schedule_id = p_schedule AND f.tick = p_tick) THEN
        RETURN 'skipped';  -- the clock went back, and somebody enabled it anew
    END IF;
    PERFORM netpulse.note_firing(p_schedule, p_tick, v_skipped);
    IF v_skipped IS NOT NULL THEN RETURN 'skipped'; END IF;
    RETURN CASE WHEN netpulse.queue_firing(p_schedule) THEN 'part' ELSE 'fired' END;
END
$$;
