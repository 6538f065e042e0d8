-- Store outputs of running or just ended jobs: p_outputs is an array of {job_id, position, command, verdict, stdout (null:
-- not to be kept), size_bytes (only then), stderr, exit_status, parsed, started_at, duration_s, phase (null: main),
-- parsing_error}. Later ones replace earlier ones of the same place (a query that ran again). The caller has made sure
-- that the jobs are its worker's, and calls it once in a transaction.
--
-- Each text is stored once. Of queries that have ended, what is done of the main phase joins the history: output_latest
-- is brought up to date, and output_change gets a row where an output is another than the one before it on its device,
-- in the order of the jobs' ends. Commands over 1000 bytes have no history: they would not fit into an index.
--
-- Locks the texts that are there already (FOR KEY SHARE), then rows of output_latest by device and command, then, by
-- digest, new texts: it waits for another transaction that stores the same. So whoever removes texts must lock them first
-- and not wait (see remove_texts), and leave alone those that are younger than an hour: one that is there after the first
-- statement is not locked yet.
CREATE OR REPLACE FUNCTION netpulse.save_outputs(p_outputs jsonb) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off  -- plans are kept: one made while the tables were small must be right when they are large
SET enable_mergejoin = off
AS $$
BEGIN
    -- Those that are there stay there until the end of this transaction.
    PERFORM FROM netpulse.output_text AS t
      WHERE t.digest = ANY (ARRAY(
            SELECT sha256(convert_to(n.stdout, 'UTF8')) FROM jsonb_to_recordset(p_outputs) AS n (stdout text)
             WHERE n.stdout <> ''))
      ORDER BY t.digest FOR KEY SHARE;

    WITH new AS MATERIALIZED (
        SELECT n.*, CASE WHEN n.stdout <> '' THEN sha256(convert_to(n.stdout, 'UTF8')) END AS digest
          FROM jsonb_to_recordset(p_outputs) AS n (
               job_id uuid, "position" integer, command text, verdict text, stdout text, size_bytes integer, stderr text,
               exit_status integer, parsed jsonb, started_at timestamptz, duration_s double precision, phase text,
               parsing_error text)
    ), said AS (
        INSERT INTO netpulse.output_text (digest, body)
        SELECT DISTINCT ON (n.digest) n.digest, n.stdout FROM new AS n WHERE n.digest IS NOT NULL ORDER BY n.digest
            ON CONFLICT DO NOTHING
    ), saved AS (
        INSERT INTO netpulse.job_output AS o
               (job_id, "position", command, verdict, digest, size_bytes, stderr, exit_status, parsed, started_at,
                duration_s, phase, parsing_error)
        SELECT n.job_id, n."position", n.command, n.verdict, n.digest, coalesce(octet_length(n.stdout), n.size_bytes, 0),
               n.stderr, n.exit_status, n.parsed, n.started_at, n.duration_s, coalesce(n.phase, 'main'), n.parsing_error
          FROM new AS n
            ON CONFLICT (job_id, "position") DO UPDATE
           SET command = excluded.command, verdict = excluded.verdict, digest = excluded.digest,
               size_bytes = excluded.size_bytes, stderr = excluded.stderr, exit_status = excluded.exit_status,
               parsed = excluded.parsed, started_at = excluded.started_at, duration_s = excluded.duration_s,
               phase = excluded.phase, parsing_error = excluded.parsing_error
    ), shown AS (
        SELECT j.device_key, j.host, n.command, n.digest, n.job_id, n."position", j.ended_at,
               lag(n.job_id) OVER earlier AS before_job_id, lag(n.digest) OVER earlier AS before_digest,
               lag(j.ended_at) OVER earlier AS before_at, lead(n.job_id) OVER earlier IS NULL AS is_last
          FROM new AS n JOIN netpulse.job AS j ON j.id = n.job_id
         WHERE j.ended_at IS NOT NULL AND j.operation = 'command' AND n.verdict = 'done'
           AND coalesce(n.phase, 'main') = 'main' AND n.stdout IS NOT NULL AND octet_length(n.command) <= 1000
        WINDOW earlier AS (PARTITION BY j.device_key, n.command ORDER BY j.ended_at, n.job_id, n."position")
    ), latest AS (
        INSERT INTO netpulse.output_latest AS l (device_key, command, digest, job_id, "position", seen_at)
        SELECT s.device_key, s.command, s.digest, s.job_id, s."position", s.ended_at FROM shown AS s
         WHERE s.is_last ORDER BY s.device_key, s.command
            ON CONFLICT (device_key, command) DO UPDATE
           SET previous_digest = l.digest, previous_job_id = l.job_id, previous_seen_at = l.seen_at,
               digest = excluded.digest, job_id = excluded.job_id, "position" = excluded."position",
               -- Of two jobs that end at once the one that began the later may be stored first.
               seen_at = greatest(excluded.seen_at, l.seen_at)
        RETURNING l.device_key, l.command, l.previous_digest, l.previous_job_id, l.previous_seen_at
    ), compared AS (
        SELECT s.*, coalesce(s.before_job_id, l.previous_job_id) AS previous_job_id,
               coalesce(s.before_at, l.previous_seen_at) AS previous_seen_at,
               CASE WHEN s.before_job_id IS NULL THEN l.previous_digest ELSE s.before_digest END AS previous_digest
          FROM shown AS s JOIN latest AS l ON l.device_key = s.device_key AND l.command = s.command
    )
    INSERT INTO netpulse.output_change
           (device_key, host, command, changed_at, job_id, "position", digest, previous_digest, previous_job_id,
            previous_seen_at)
    SELECT c.device_key, c.host, c.command, greatest(c.ended_at, c.previous_seen_at), c.job_id, c."position", c.digest,
           c.previous_digest, c.previous_job_id, c.previous_seen_at
      FROM compared AS c
     WHERE c.previous_job_id IS NULL OR c.digest IS DISTINCT FROM c.previous_digest
     ORDER BY c.device_key, c.command, c.ended_at, c.job_id, c."position";
END
$$;
