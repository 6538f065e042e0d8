-- Store outputs of running jobs: p_outputs is an array of {job_id, position, command, verdict, stdout, stderr,
-- exit_status, parsed, started_at, duration_s, phase (null: main), parsing_error}. Later ones replace earlier ones of the same place (a query that ran
-- again). The caller has made sure that the jobs are p_worker's. Locks nothing but the rows it writes.
CREATE OR REPLACE FUNCTION netpulse.save_outputs(p_outputs jsonb) RETURNS void
LANGUAGE sql VOLATILE AS $$
    INSERT INTO netpulse.job_output AS o
           (job_id, "position", command, verdict, stdout, stderr, exit_status, parsed, started_at, duration_s, phase,
            parsing_error)
    SELECT n.job_id, n."position", n.command, n.verdict, n.stdout, n.stderr, n.exit_status, n.parsed, n.started_at,
           n.duration_s, coalesce(n.phase, 'main'), n.parsing_error
      FROM jsonb_populate_recordset(NULL::netpulse.job_output, p_outputs) AS n
        ON CONFLICT (job_id, "position") DO UPDATE
       SET command = excluded.command, verdict = excluded.verdict, stdout = excluded.stdout, stderr = excluded.stderr,
           exit_status = excluded.exit_status, parsed = excluded.parsed, started_at = excluded.started_at,
           duration_s = excluded.duration_s, phase = excluded.phase,
           parsing_error = excluded.parsing_error
$$;
