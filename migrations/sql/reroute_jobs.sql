-- Send the waiting jobs of devices p_keys to where their devices now are: their holder's queue, or their zone's. The
-- caller holds the devices' row locks and the workers' KEY SHARE.
-- Planned anew at each call: a plan made while the queue was empty reads all of it for each device when it is full.
CREATE OR REPLACE FUNCTION netpulse.reroute_jobs(p_keys text[]) RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
    UPDATE procrastinate_jobs AS q SET queue_name = coalesce('w:' || d.worker_id, 'pinned:' || d.zone)
      FROM netpulse.device AS d
     WHERE d.key = ANY (p_keys) AND q.lock = d.key AND q.status = 'todo';
END
$$;
