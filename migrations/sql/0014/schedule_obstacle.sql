-- Why schedule p_id is not to fire now; null: it is. With overlap `skip`, its last firing's jobs must have ended; what a
-- firing has not queued yet counts as running.
CREATE OR REPLACE FUNCTION netpulse.schedule_obstacle(p_id uuid) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        netpulse.schedule_blocked(s.submitted_by),
        CASE WHEN s.overlap = 'skip' AND (
                 EXISTS (SELECT FROM netpulse.job AS j WHERE j.id = s.last_job AND j.ended_at IS NULL)
                 OR EXISTS (SELECT FROM netpulse.job AS j WHERE j.batch_id = s.last_batch AND j.ended_at IS NULL)
                 OR EXISTS (SELECT FROM netpulse.schedule_firing AS f
                             WHERE f.schedule_id = s.id AND f.rest_from IS NOT NULL))
             THEN 'jobs of the last firing have not ended' END)
      FROM netpulse.schedule AS s WHERE s.id = p_id
$$;
