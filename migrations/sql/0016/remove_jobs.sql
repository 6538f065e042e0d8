-- Retention: remove jobs p_ids with all that is theirs: outputs and texts that only they had, deliveries, files' rows, the
-- detached tasks that they started, and the rollouts of which no job is left. Returns the number of jobs; those that have
-- not ended, or that somebody has locked, stay. The caller has seen that nobody needs them.
-- Locks the jobs by id, skipping locked ones, then what is theirs.
CREATE FUNCTION netpulse.remove_jobs(p_ids uuid[]) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off  -- plans are kept: one made while the tables were small must be right when they are large
AS $$
DECLARE
    v_ids uuid[] := ARRAY(
        SELECT j.id FROM netpulse.job AS j WHERE j.id = ANY (p_ids) AND j.ended_at IS NOT NULL
         ORDER BY j.id FOR UPDATE SKIP LOCKED);
    v_count integer;
    v_batches uuid[];
BEGIN
    PERFORM netpulse.remove_outputs(v_ids);
    DELETE FROM netpulse.detached_task AS t WHERE t.job_id = ANY (v_ids);
    WITH gone AS (DELETE FROM netpulse.job AS j WHERE j.id = ANY (v_ids) RETURNING j.batch_id)
    SELECT count(*), array_agg(DISTINCT g.batch_id) FILTER (WHERE g.batch_id IS NOT NULL)
      INTO v_count, v_batches FROM gone AS g;
    DELETE FROM netpulse.rollout AS r
     WHERE r.batch_id = ANY (v_batches) AND r.state <> 'running'
       AND NOT EXISTS (SELECT FROM netpulse.job AS j WHERE j.batch_id = r.batch_id);
    RETURN v_count;
END
$$;
