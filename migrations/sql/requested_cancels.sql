-- The jobs that worker p_worker runs and that somebody wants aborted: what a lost `cancel` notice would have said.
-- Takes no locks.
CREATE OR REPLACE FUNCTION netpulse.requested_cancels(p_worker bigint) RETURNS SETOF uuid
LANGUAGE sql STABLE AS $$
    SELECT j.id FROM netpulse.job AS j
     WHERE j.worker_id = p_worker AND j.state IN ('claimed', 'started') AND j.cancel_requested
$$;
