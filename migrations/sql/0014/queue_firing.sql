-- Queue the next part of a firing of schedule p_schedule that is under way: up to 1,000 of its jobs, in order, in this
-- transaction. A firing that is interrupted between two parts goes on where it stopped, whoever calls this next.
-- Returns true if jobs are left, false if that was the last part, null if there is no such firing or another one is at it.
-- Locks the schedule's row (SKIP LOCKED) to the end of the transaction, then what submit_jobs does.
CREATE OR REPLACE FUNCTION netpulse.queue_firing(p_schedule uuid) RETURNS boolean
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    c_part CONSTANT integer := 1000;
    v_schedule netpulse.schedule;
    v_firing netpulse.schedule_firing;
    v_key text;
    v_jobs jsonb;
    v_left boolean;
    v_new record;
BEGIN
    SELECT * INTO v_schedule FROM netpulse.schedule AS s WHERE s.id = p_schedule FOR UPDATE SKIP LOCKED;
    SELECT * INTO v_firing FROM netpulse.schedule_firing AS f
     WHERE f.schedule_id = v_schedule.id AND f.rest_from IS NOT NULL ORDER BY f.id LIMIT 1;
    IF v_firing.id IS NULL THEN RETURN NULL; END IF;

    v_key := format('schedule:%s:%s', p_schedule, coalesce(extract(epoch FROM v_firing.tick)::bigint::text, 'run ' || v_firing.id));
    SELECT jsonb_agg(e.job || jsonb_build_object(
               'schedule_id', p_schedule, 'batch_id', v_firing.batch_id, 'submitted_by', v_schedule.submitted_by,
               'idempotency_key', v_key || '#' || v_firing.rest_from + e.place - 1, 'request_hashes', jsonb_build_array(v_key))
               ORDER BY e.place)
      INTO v_jobs
      FROM jsonb_array_elements(jsonb_path_query_array(v_schedule.jobs, '$[$first to $last]', jsonb_build_object(
               'first', v_firing.rest_from, 'last', v_firing.rest_from + c_part - 1))) WITH ORDINALITY AS e (job, place);
    v_left := jsonb_array_length(v_schedule.jobs) > v_firing.rest_from + c_part;
    SELECT count(*) FILTER (WHERE n.id IS NOT NULL) AS queued, count(*) FILTER (WHERE n.id IS NULL) AS refused,
           min(n.host) FILTER (WHERE n.id IS NULL) AS host, min(n.held_in) AS held_in,
           (array_agg(n.id))[1] AS id
      INTO v_new FROM netpulse.submit_jobs(v_jobs) AS n;
    UPDATE netpulse.schedule_firing AS f
       SET queued = f.queued + v_new.queued, refused = f.refused + v_new.refused,
           rest_from = CASE WHEN v_left THEN f.rest_from + c_part END,
           job_id = CASE WHEN f.batch_id IS NULL THEN v_new.id END,
           skipped = CASE WHEN NOT v_left AND f.queued + v_new.queued = 0
                          THEN format('%s has jobs in the zone %s', v_new.host, v_new.held_in) END
     WHERE f.id = v_firing.id;
    UPDATE netpulse.schedule AS s
       SET last_at = clock_timestamp(), last_batch = v_firing.batch_id,
           last_job = CASE WHEN v_firing.batch_id IS NULL THEN v_new.id END
     WHERE s.id = p_schedule;
    RETURN v_left;
END
$$;
