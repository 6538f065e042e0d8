-- Move each text of job_output into output_text, and make the history of what has ended (see save_outputs). Once.
INSERT INTO netpulse.output_text (digest, body, first_seen_at)
SELECT DISTINCT ON (n.digest) n.digest, n.stdout, coalesce(n.started_at, now())
  FROM (SELECT sha256(convert_to(o.stdout, 'UTF8')) AS digest, o.stdout, o.started_at
          FROM netpulse.job_output AS o WHERE o.stdout <> '') AS n
 ORDER BY n.digest, n.started_at;

UPDATE netpulse.job_output SET digest = sha256(convert_to(stdout, 'UTF8')), size_bytes = octet_length(stdout)
 WHERE stdout <> '';

WITH shown AS (
    SELECT j.device_key, j.host, o.command, j.ended_at, o.job_id, o."position", o.digest,
           lag(o.digest) OVER earlier AS previous_digest, lag(o.job_id) OVER earlier AS previous_job_id,
           lag(j.ended_at) OVER earlier AS previous_seen_at
      FROM netpulse.job_output AS o JOIN netpulse.job AS j ON j.id = o.job_id
     WHERE j.ended_at IS NOT NULL AND j.operation = 'command' AND o.verdict = 'done' AND o.phase = 'main'
       AND octet_length(o.command) <= 1000
    WINDOW earlier AS (PARTITION BY j.device_key, o.command ORDER BY j.ended_at, o.job_id, o."position")
), latest AS (
    INSERT INTO netpulse.output_latest (device_key, command, digest, job_id, "position", seen_at, previous_digest,
                                        previous_job_id, previous_seen_at)
    SELECT DISTINCT ON (s.device_key, s.command) s.device_key, s.command, s.digest, s.job_id, s."position", s.ended_at,
           s.previous_digest, s.previous_job_id, s.previous_seen_at
      FROM shown AS s
     ORDER BY s.device_key, s.command, s.ended_at DESC, s.job_id DESC, s."position" DESC
)
INSERT INTO netpulse.output_change (device_key, host, command, changed_at, job_id, "position", digest, previous_digest,
                                    previous_job_id, previous_seen_at)
SELECT s.device_key, s.host, s.command, s.ended_at, s.job_id, s."position", s.digest, s.previous_digest,
       s.previous_job_id, s.previous_seen_at
  FROM shown AS s
 WHERE s.previous_job_id IS NULL OR s.digest IS DISTINCT FROM s.previous_digest
 ORDER BY s.ended_at, s.job_id, s."position";
