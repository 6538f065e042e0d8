"""What retention removes: for each kind, what is old enough and needed no more, and how it goes.

A walk looks at up to $3 rows in the order of their keys, after key $2 (null: from the beginning), and not beyond what
may be old enough. It says of each: `key`, `at` (its age counts from there), `goes`. $1 is the moment before which
things are old; of the count of jobs it is an id.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jobs.settings import RetentionSettings

_OLD = "SELECT clock_timestamp() - $1::double precision * interval '1 day'"

_NEWEST = """
    SELECT j.id FROM netpulse.job AS j WHERE j.ended_at IS NOT NULL ORDER BY j.id DESC OFFSET $1::bigint LIMIT 1
"""
"""Id of the newest job that is one too many."""

# Nothing that was accepted in the last 24 hours: a client that repeats its request must find the job, or it runs twice.
# The many cheap probes come last.
_JOBS = """
    WITH walk AS MATERIALIZED (
        SELECT j.id, j.state, j.ended_at, j.batch_id, j.operation, j.sealed IS NOT NULL AS unconfirmed
          FROM netpulse.job AS j
         WHERE {among} AND j.id > coalesce($2::text, '00000000-0000-0000-0000-000000000000')::uuid AND {until}
           AND j.id < netpulse.uuid7_floor(clock_timestamp() - interval '24 hours')
         ORDER BY j.id LIMIT $3)
    SELECT w.id::text AS key, w.ended_at AS at, coalesce({old}, false) AND NOT w.unconfirmed
           AND NOT EXISTS (SELECT FROM netpulse.webhook_delivery AS d
                            WHERE d.job_id = w.id AND (d.state IN ('due', 'sending')))
           AND NOT EXISTS (SELECT FROM netpulse.rollout AS r WHERE r.batch_id = w.batch_id AND r.state = 'running')
           AND NOT EXISTS (SELECT FROM netpulse.stored_file AS f WHERE f.job_id = w.id AND f.removed_at IS NULL)
           AND NOT EXISTS (SELECT FROM netpulse.detached_task AS t
                            WHERE t.job_id = w.id AND (t.ended_at IS NULL OR t.sealed IS NOT NULL)) AS goes
      FROM walk AS w ORDER BY w.id
"""
_REMOVE_JOBS = "SELECT netpulse.remove_jobs($1::text[]::uuid[])"
_BY_AGE = "j.id < netpulse.uuid7_floor($1::timestamptz)"

_OUTPUTS = """
    WITH walk AS MATERIALIZED (
        SELECT o.job_id FROM netpulse.job_output AS o
         WHERE o.job_id > coalesce($2::text, '00000000-0000-0000-0000-000000000000')::uuid
           AND o.job_id < netpulse.uuid7_floor($1::timestamptz)
         ORDER BY o.job_id FETCH FIRST $3 ROWS WITH TIES)
    SELECT w.job_id::text AS key, j.ended_at AS at, coalesce(j.ended_at < $1, false)
           AND NOT EXISTS (SELECT FROM netpulse.webhook_delivery AS d
                            WHERE d.job_id = w.job_id AND d.state IN ('due', 'sending')) AS goes
      FROM walk AS w JOIN netpulse.job AS j ON j.id = w.job_id ORDER BY w.job_id
"""

_VERSIONS = """
    WITH walk AS MATERIALIZED (
        SELECT c.* FROM netpulse.output_change AS c
         WHERE c.id > coalesce($2::text, '0')::bigint
           AND c.id <= (SELECT o.id FROM netpulse.output_change AS o WHERE o.changed_at < $1::timestamptz
                         ORDER BY o.changed_at DESC, o.id DESC LIMIT 1)
         ORDER BY c.id LIMIT $3)
    SELECT w.id::text AS key, w.changed_at AS at,
           EXISTS (SELECT FROM netpulse.output_change AS n
                    WHERE n.host = w.host AND n.command = w.command AND n.device_key = w.device_key AND n.id > w.id
                      AND n.changed_at >= w.changed_at AND n.changed_at < $1) AS goes
      FROM walk AS w ORDER BY w.id
"""

_FILES = """
    SELECT f.id::text AS key, f.removed_at AS at, coalesce(f.removed_at < $1, false) AS goes
      FROM netpulse.stored_file AS f
     WHERE f.id > coalesce($2::text, '00000000-0000-0000-0000-000000000000')::uuid
       AND f.id < netpulse.uuid7_floor($1::timestamptz)
     ORDER BY f.id LIMIT $3
"""

# One that was given up may be put back as long as its sealed part is there.
_DELIVERIES = """
    SELECT d.id::text AS key, coalesce(d.delivered_at, d.failed_at) AS at,
           d.sealed IS NULL AND coalesce(coalesce(d.delivered_at, d.failed_at) < $1, false) AS goes
      FROM netpulse.webhook_delivery AS d
     WHERE d.id > coalesce($2::text, '00000000-0000-0000-0000-000000000000')::uuid
       AND d.id < netpulse.uuid7_floor($1::timestamptz)
     ORDER BY d.id LIMIT $3
"""

_EVENTS = """
    SELECT e.id::text AS key, e.at, e.at < $1 AS goes
      FROM netpulse.audit_event AS e
     WHERE e.id > coalesce($2::text, '0')::bigint
       AND e.id <= (SELECT o.id FROM netpulse.audit_event AS o WHERE o.at < $1::timestamptz ORDER BY o.at DESC LIMIT 1)
     ORDER BY e.id LIMIT $3
"""
_REMOVE_EVENTS = """
    SELECT netpulse.remove_audit_events(max(e.at) + interval '1 microsecond', cardinality($1::text[]))
      FROM netpulse.audit_event AS e WHERE e.id = ANY ($1::text[]::bigint[])
"""
_MAY_REMOVE_EVENTS = (
    "SELECT has_function_privilege('netpulse.remove_audit_events(timestamptz, integer)'::regprocedure, 'EXECUTE')"
)


@dataclass(frozen=True)
class Kind:
    """Something that grows."""

    name: str
    kept: Callable[[RetentionSettings], float]
    """Days, or how many; 0: for ever."""
    walk: str
    remove: str
    """Removes the keys $1; says how many that were."""
    border: str = _OLD
    """$1 of `walk`, made of `kept`; null: nothing is too much."""
    allowed: str = "SELECT true"
    """Whether this role may remove any."""


def _ended(name: str, state: str, among: str, kept: Callable[[RetentionSettings], float]) -> Kind:
    old = f"w.ended_at < $1 AND w.state = '{state}'"
    return Kind(name, kept, _JOBS.format(among=among, until=_BY_AGE, old=old), _REMOVE_JOBS)


def _plainly(table: str) -> str:
    gone = f"DELETE FROM netpulse.{table} WHERE id = ANY ($1::text[]::uuid[]) RETURNING id"  # noqa: S608 - our own names
    return f"WITH gone AS ({gone}) SELECT count(*) FROM gone"  # noqa: S608 - the same


KINDS = (
    Kind("deliveries", lambda kept: kept.deliveries_days, _DELIVERIES, _plainly("webhook_delivery")),
    Kind("files", lambda kept: kept.files_days, _FILES, _plainly("stored_file")),
    # By the primary key, as nearly all have finished; the others by job_unfinished_idx.
    _ended("finished jobs", "finished", "true", lambda kept: kept.finished_days),
    _ended("failed jobs", "failed", "j.state = 'failed'", lambda kept: kept.failed_days),
    _ended("cancelled jobs", "cancelled", "j.state = 'cancelled'", lambda kept: kept.failed_days),
    Kind(
        "surplus jobs",
        lambda kept: kept.most_jobs,
        _JOBS.format(among="true", until="j.id <= $1::uuid", old="w.ended_at IS NOT NULL"),
        _REMOVE_JOBS,
        border=_NEWEST,
    ),
    Kind(
        "outputs",
        lambda kept: kept.outputs_days,
        _OUTPUTS,
        "SELECT netpulse.remove_outputs(ARRAY(SELECT DISTINCT k::uuid FROM unnest($1::text[]) AS k))",
    ),
    Kind(
        "versions",
        lambda kept: kept.versions_days,
        _VERSIONS,
        "SELECT netpulse.remove_versions($1::text[]::bigint[])",
    ),
    Kind("audit events", lambda kept: kept.audit_days, _EVENTS, _REMOVE_EVENTS, allowed=_MAY_REMOVE_EVENTS),
)
"""In the order in which they go: what would keep a job, or goes with it, before it."""
