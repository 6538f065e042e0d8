-- Submit one job that brings the stored file p_file to its device: what submit_jobs answers. From then on the file is the
-- job's, and kept until that ends; where no job came about (refused, or accepted before), the file is given up.
-- Locks what submit_jobs locks, then the file's row.
CREATE OR REPLACE FUNCTION netpulse.submit_upload(p_jobs jsonb, p_file uuid)
RETURNS TABLE ("position" bigint, created boolean, conflict boolean, id uuid, state text, strategy text, host text,
               worker_id bigint, created_at timestamptz, held_in text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_answer record;
BEGIN
    SELECT * INTO STRICT v_answer FROM netpulse.submit_jobs(p_jobs);
    UPDATE netpulse.stored_file AS f
       SET job_id = CASE WHEN v_answer.created THEN v_answer.id END,
           expires_at = CASE WHEN NOT v_answer.created THEN clock_timestamp() END
     WHERE f.id = p_file;
    RETURN QUERY SELECT v_answer."position", v_answer.created, v_answer.conflict, v_answer.id, v_answer.state,
                        v_answer.strategy, v_answer.host, v_answer.worker_id, v_answer.created_at, v_answer.held_in;
END
$$;
