"""A made-up past of a site, as large as wanted: what the questions of docs/reporting.md are asked of."""

from __future__ import annotations

import psycopg

_WORKERS = """
    INSERT INTO netpulse.worker (name, node, pid, zone, capacity, queue_worker_id, busy, held_sessions)
    SELECT 'node' || n || ':' || 4000 + n, 'node' || n, 4000 + n, CASE WHEN n % 4 = 0 THEN 'branch' ELSE 'default' END,
           500, n, n * 20, n * 35
      FROM generate_series(1, 12) AS n
"""
_DEVICES = """
    INSERT INTO netpulse.device (key, host, port, zone, worker_id)
    SELECT 'core' || d || ':22', 'core' || d, 22, w.zone, w.id
      FROM generate_series(1, %(devices)s) AS d JOIN netpulse.worker AS w ON w.queue_worker_id = 1 + d %% 12
"""
# One in 33 fails; one device in 20 was last reached ten days ago; one job in ten is a change; the last five wait.
_JOBS = """
    INSERT INTO netpulse.job (
        id, driver, operation, device_key, host, zone, strategy, state, request, error_type, error_message, outcome,
        submitted_by, worker_id, worker, attempts, execution_timeout_s, session_reused, difference, created_at,
        started_at, ended_at)
    SELECT netpulse.uuid7(t.at), 'netmiko', k.operation, v.key, v.host, v.zone, 'pinned', k.state, k.request, e.error,
           'the device did not do it: ' || e.error, CASE k.state WHEN 'failed' THEN 'known' END,
           (ARRAY['backup', 'noc', 'ci', 'noc', 'admin'])[1 + n %% 5], w.id, w.name, 1, 300,
           CASE WHEN k.state <> 'queued' AND e.error IS DISTINCT FROM 'Unreachable'
                 AND e.error IS DISTINCT FROM 'AuthenticationFailed' THEN n %% 3 > 0 END,
           CASE WHEN k.operation = 'config' AND k.state = 'finished' THEN '+snmp-server location room ' || n END,
           t.at, s.at, s.at + (30 + n * 17 %% 400) * interval '1 millisecond'
      FROM generate_series(1, %(jobs)s::bigint) AS n,
           LATERAL (SELECT now() - (%(jobs)s - n) * (%(days)s * interval '1 day' / %(jobs)s) AS at) AS t,
           LATERAL (SELECT 1 + (hashint8(n) & 2147483647) %% %(devices)s AS d, n > %(jobs)s - 5 AS waits) AS x,
           LATERAL (SELECT CASE WHEN x.waits THEN NULL
                                WHEN x.d %% 20 = 0 AND t.at > now() - interval '10 days' THEN 'Unreachable'
                                WHEN n %% 33 = 0 THEN (ARRAY['Unreachable', 'AuthenticationFailed', 'CommandRejected',
                                                             'ReplyTimeout'])[1 + n / 33 %% 4] END AS error) AS e,
           LATERAL (SELECT CASE WHEN x.waits THEN 'queued' WHEN e.error IS NULL THEN 'finished' ELSE 'failed' END
                           AS state,
                           CASE WHEN n %% 10 = 3 THEN 'config' ELSE 'command' END AS operation,
                           jsonb_build_object(
                               'driver', 'netmiko', 'connection_args',
                               '{"username": "backup", "password": "***", "device_type": "cisco_ios"}'::jsonb,
                               CASE WHEN n %% 10 = 3 THEN 'config' ELSE 'command' END,
                               CASE WHEN n %% 10 = 3 THEN jsonb_build_array('snmp-server location room ' || n)
                                    ELSE '["show version", "show running-config", "show interfaces"]' END)
                           AS request) AS k,
           LATERAL (SELECT CASE WHEN NOT x.waits THEN t.at + (n * 31 %% 100) * interval '1 millisecond' END AS at) AS s,
           netpulse.device AS v, netpulse.worker AS w
     WHERE v.key = 'core' || x.d || ':22' AND w.id = v.worker_id
"""
# What a device says to a command (0: version, 1: running-config, 2: interfaces), in each version, counted from now.
_SAID = """
    CREATE TEMPORARY TABLE said AS
    SELECT c.kind, d, c.version, sha256(convert_to(c.body, 'UTF8')) AS digest, c.body, c.parsed
      FROM generate_series(1, %(devices)s) AS d, LATERAL (
           SELECT 0 AS kind, v AS version, NULL::jsonb AS parsed,
                  'Cisco IOS Software, Version ' || CASE WHEN d %% 5 = v THEN '15.2(7)E' ELSE '16.9.' || 4 + v END
                  || E'\\ncore' || d || E' uptime is 4 years\\n' || repeat('cisco WS-C2960X processor ', 12) AS body
             FROM generate_series(0, 1) AS v
           UNION ALL
           SELECT 1, v, NULL, 'hostname core' || d || E'\\nsnmp-server location room ' || d + 7 * v || E'\\n' || (
                  SELECT string_agg('interface Gi0/' || i || E'\\n description to access ' || d * i, E'\\n')
                    FROM generate_series(1, 12) AS i)
             FROM generate_series(0, 1 + %(days)s / 3) AS v
           UNION ALL
           SELECT 2, v, p.parsed, (SELECT string_agg(concat_ws(' ', r ->> 'interface', 'is', r ->> 'status', d), E'\\n')
                                     FROM jsonb_array_elements(p.parsed) AS r)
             FROM generate_series(0, 1 + %(days)s / 5) AS v, LATERAL (
                  SELECT jsonb_agg(jsonb_build_object(
                             'interface', 'Gi0/' || i,
                             'status', CASE WHEN (d + v + i) %% 8 = 0 THEN 'down' ELSE 'up' END)) AS parsed
                    FROM generate_series(1, 8) AS i) AS p) AS c;
    INSERT INTO netpulse.output_text (digest, body) SELECT DISTINCT ON (digest) digest, body FROM said;
    ALTER TABLE said DROP COLUMN body;
    CREATE UNIQUE INDEX ON said (kind, d, version);
    ANALYZE said
"""
_OUTPUTS = """
    INSERT INTO netpulse.job_output (job_id, position, command, verdict, digest, size_bytes, exit_status, parsed,
                                     started_at, duration_s)
    SELECT j.id, k.kind, (ARRAY['show version', 'show running-config', 'show interfaces'])[1 + k.kind], 'done',
           s.digest, 500, 0, s.parsed, j.started_at, 0.02
      FROM netpulse.job AS j,
           LATERAL (SELECT substring(j.host FROM 5)::integer AS d,
                           extract(epoch FROM now() - j.ended_at) / 86400 AS age) AS x,
           LATERAL (VALUES (0, (x.age > 30)::integer), (1, floor((x.age + x.d %% 3) / 3)::integer),
                           (2, floor((x.age + x.d %% 5) / 5)::integer)) AS k (kind, version), said AS s
     WHERE j.operation = 'command' AND j.state = 'finished' AND s.kind = k.kind AND s.d = x.d AND s.version = k.version
    UNION ALL
    SELECT j.id, p, 'snmp-server location room ' || p, CASE WHEN j.state = 'finished' THEN 'done' ELSE 'refused' END,
           NULL, 0, 0, NULL, j.started_at, 0.01
      FROM netpulse.job AS j, generate_series(0, 4) AS p
     WHERE j.operation = 'config' AND j.session_reused IS NOT NULL;
    DROP TABLE said
"""
# As save_outputs does it for one job after the other.
_HISTORY = """
    WITH shown AS MATERIALIZED (
        SELECT j.device_key, j.host, o.command, j.ended_at, o.job_id, o.position, o.digest,
               lag(o.digest) OVER earlier AS previous_digest, lag(o.job_id) OVER earlier AS previous_job_id,
               lag(j.ended_at) OVER earlier AS previous_seen_at, lead(o.job_id) OVER earlier IS NULL AS is_last
          FROM netpulse.job_output AS o JOIN netpulse.job AS j ON j.id = o.job_id
         WHERE j.operation = 'command' AND j.ended_at IS NOT NULL
        WINDOW earlier AS (PARTITION BY j.device_key, o.command ORDER BY j.ended_at, o.job_id)
    ), latest AS (
        INSERT INTO netpulse.output_latest (device_key, command, digest, job_id, position, seen_at, previous_digest,
                                            previous_job_id, previous_seen_at)
        SELECT device_key, command, digest, job_id, position, ended_at, previous_digest, previous_job_id,
               previous_seen_at
          FROM shown WHERE is_last
    )
    INSERT INTO netpulse.output_change (device_key, host, command, changed_at, job_id, position, digest,
                                        previous_digest, previous_job_id, previous_seen_at)
    SELECT device_key, host, command, ended_at, job_id, position, digest, previous_digest, previous_job_id,
           previous_seen_at
      FROM shown WHERE previous_job_id IS NULL OR digest IS DISTINCT FROM previous_digest ORDER BY ended_at
"""
# One job in twenty tells somebody; of these one in ten in vain.
_DELIVERIES = """
    WITH told AS (
        INSERT INTO netpulse.webhook_delivery (id, job_id, event_type, url, receiver, state, attempts, created_at,
                                               delivered_at, failed_at)
        SELECT netpulse.uuid7(j.ended_at), j.id, 'job.completed', 'https://hooks.example.net/***',
               'https://hooks.example.net:443', CASE WHEN j.n % 200 = 1 THEN 'failed' ELSE 'delivered' END,
               CASE WHEN j.n % 200 = 1 THEN 4 ELSE 1 END, j.ended_at,
               CASE WHEN j.n % 200 <> 1 THEN j.ended_at END, CASE WHEN j.n % 200 = 1 THEN j.ended_at END
          FROM (SELECT id, ended_at, row_number() OVER (ORDER BY id DESC) AS n FROM netpulse.job
                 WHERE ended_at IS NOT NULL) AS j
         WHERE j.n % 20 = 1
        RETURNING id, attempts, created_at, state)
    INSERT INTO netpulse.webhook_attempt (delivery_id, number, started_at, duration_s, status, error, worker)
    SELECT t.id, a, t.created_at, 0.1, CASE t.state WHEN 'failed' THEN 500 ELSE 204 END,
           CASE t.state WHEN 'failed' THEN 'the receiver answered 500' END, 'node1:4001'
      FROM told AS t, generate_series(1, t.attempts) AS a
"""
_AUDIT = """
    INSERT INTO netpulse.audit_event (at, actor, client, request_id, action, host, allowed, reason, job_id)
    SELECT j.created_at, j.submitted_by, '192.0.2.9', j.id::text, 'POST /device/execute', j.host, j.n % 40 <> 1,
           CASE WHEN j.n % 40 = 1 THEN 'The key lacks the scope config.' END, CASE WHEN j.n % 40 <> 1 THEN j.id END
      FROM (SELECT id, created_at, submitted_by, host, row_number() OVER (ORDER BY id DESC) AS n FROM netpulse.job) AS j
     WHERE j.n % 3 = 1
"""
_TABLES = (
    "job, job_output, output_text, output_latest, output_change, device, worker, webhook_delivery, webhook_attempt, "
    "audit_event"
)


def make_past(url: str, *, jobs: int, devices: int, days: int = 60) -> None:
    """Fill the migrated, empty database at `url`; its superuser's URL. Devices are core1, core2, …, all on port 22.

    `jobs` in `days` up to now, three outputs each and a little more.
    """
    values = {"jobs": jobs, "devices": devices, "days": days}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET session_replication_role = replica")  # no look at the job for each output
        connection.execute("SET work_mem = '256MB'")
        connection.execute(_WORKERS)
        psycopg.ClientCursor(connection).execute(_DEVICES, values)
        for statements in (_JOBS, _SAID, _OUTPUTS):
            connection.execute("ANALYZE netpulse.device, netpulse.job")
            psycopg.ClientCursor(connection).execute(statements, values)
        for statement in (_HISTORY, _DELIVERIES, _AUDIT):
            connection.execute(statement)
        connection.execute(f"VACUUM ANALYZE {', '.join(f'netpulse.{name}' for name in _TABLES.split(', '))}")
