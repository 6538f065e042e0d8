-- Store outputs of running jobs: p_outputs is an array of {job_id, position, command, verdict, stdout, stderr,
-- exit_status, parsed, started_at, duration_s}. Later ones replace earlier ones of the same place (a query that ran
-- again). The caller has made sure that the jobs are p_worker's. Locks nothing but the rows it writes.
CREATE OR REPLACE FUNCTION netpulse.save_outputs(p_outputs jsonb) RETURNS void
LANGUAGE sql VOLATILE AS $$
    INSERT INTO netpulse.job_output AS o
           (job_id, "position", command, verdict, stdout, stderr, exit_status, parsed, started_at, duration_s)
    SELECT n.job_id, n."position", n.command, n.verdict, n.stdout, n.stderr, n.exit_status, n.parsed, n.started_at,
           n.duration_s
      FROM jsonb_populate_recordset(NULL::netpulse.job_output, p_outputs) AS n
        ON CONFLICT (job_id, "position") DO UPDATE
       SET command = excluded.command, verdict = excluded.verdict, stdout = excluded.stdout, stderr = excluded.stderr,
           exit_status = excluded.exit_status, parsed = excluded.parsed, started_at = excluded.started_at,
           duration_s = excluded.duration_s
$$;

-- A command of a job that goes on has ended: keep its output now, and tell who watches. Returns false, and keeps
-- nothing, if the job is no longer p_worker's. Locks the job FOR NO KEY UPDATE against reaping.
CREATE OR REPLACE FUNCTION netpulse.record_output(p_worker bigint, p_job uuid, p_outputs jsonb) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM netpulse.job
      WHERE id = p_job AND worker_id = p_worker AND state IN ('claimed', 'started') FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM netpulse.save_outputs(p_outputs);
    PERFORM netpulse.announce('netpulse_job_changed', ARRAY[p_job]);
    RETURN true;
END
$$;
