"""Accepting jobs: one SQL function does everything in one transaction. When it has returned, the job cannot be lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from drivers.base import HostKeyPolicy, Strategy
from jobs.audit import AuditEvent
from jobs.authorisation import authorise
from jobs.away import is_database_away
from jobs.candidates import Candidates
from jobs.limits import require_room
from jobs.principal import Principal
from jobs.requests import Request
from jobs.seal import Seal

_RECORDED = """
    WITH answer AS MATERIALIZED (SELECT * FROM {source}),
         recorded AS MATERIALIZED (
             SELECT netpulse.record_audit_events(
                 jsonb_build_array(CAST(:event AS jsonb) || CASE
                     WHEN jsonb_exists(CAST(:event AS jsonb), 'batch_id') THEN '{{}}'::jsonb
                     ELSE jsonb_build_object('job_id', max(a.id::text)) END))
               FROM answer AS a HAVING bool_or(a.created))
    SELECT a.* FROM answer AS a LEFT JOIN recorded ON true ORDER BY a.position"""
"""With the audit event, if anything is queued: of its job, unless it names its batch."""

_SUBMIT = text("SELECT * FROM netpulse.submit_jobs(CAST(:jobs AS jsonb)) ORDER BY position")
_SUBMIT_RECORDED = text(_RECORDED.format(source="netpulse.submit_jobs(CAST(:jobs AS jsonb))"))
_SUBMIT_UPLOAD = text(_RECORDED.format(source="netpulse.submit_upload(CAST(:jobs AS jsonb), :file)"))


class Refused(Exception):
    """A valid request that is not queued. The message is for the client."""


class KeyReused(Refused):
    """The idempotency key was used within 24 hours for another request."""

    def __init__(self) -> None:
        super().__init__("the Idempotency-Key was used within 24 hours for another request")


class HeldElsewhere(Refused):
    """The device has jobs in another zone; two workers must not speak to one device."""

    def __init__(self, host: str, zone: str) -> None:
        super().__init__(f"{host} has jobs in the zone {zone!r}; wait for their end, cancel them, or ask in that zone")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job that is in the queue, or was before."""

    id: UUID
    state: str
    strategy: str
    host: str
    created_at: datetime
    created: bool
    """False: the same request was sent before with the same idempotency key, and this is its job."""
    held: bool
    """True: a worker holds the device, so a pinned job runs there."""


@dataclass(frozen=True)
class Submission:
    """Who asks, and how what he asks for is known again."""

    principal: Principal
    idempotency_key: str | None = None
    request_hashes: Sequence[str] | None = None
    """Equal for equal requests under the same key, one per secret key; None: digests of the request itself."""
    batch_id: UUID | None = None
    wave: int | None = None
    """Of a rollout, from 0."""
    event: AuditEvent | None = None
    """What goes on record in the transaction that queues the first of it."""


@dataclass(frozen=True)
class Intake:
    """What takes jobs in. `database` commits each statement by itself; `zone` is that of requests that name none."""

    database: AsyncEngine
    seal: Seal
    candidates: Candidates
    zone: str
    host_keys: HostKeyPolicy = "tofu"
    """The site's policy."""
    queued_jobs: int = 0
    """Jobs that a key without a limit of its own may have waiting; 0: any number."""

    def zone_of(self, request: Request) -> str:
        """Where the request's job runs."""
        return request.options.zone or self.zone


async def submit(intake: Intake, request: Request, submission: Submission) -> Accepted:
    """Queue one request.

    Raises Forbidden, TooManyQueued, Refused, and what SQLAlchemy raises when PostgreSQL is away: then it is not known
    whether the job was accepted, and an idempotency key makes asking again safe.
    """
    authorise(submission.principal, request, intake.host_keys)
    await require_room(intake.database, submission.principal, intake.queued_jobs, 1)
    job = new_job(intake, request, submission)
    if request.strategy == Strategy.PINNED:
        [job["preferred_worker"]] = await intake.candidates.propose(intake.zone_of(request), 1)
    async with intake.database.connect() as connection:
        event = submission.event and replace(submission.event, host=request.target.host)
        [answer] = await insert(connection, [json.dumps(job)], event, request.file_id)
    if isinstance(answer, Refused):
        raise answer
    return answer


async def zone_warnings(intake: Intake, request: Request, accepted: Sequence[Accepted]) -> list[str]:
    """A sentence if one of `request`'s jobs waits for a worker that is yet to come."""
    zone = intake.zone_of(request)
    if not any(job.state == "queued" and not job.held for job in accepted):
        return []
    try:
        if await intake.candidates.serves(zone):
            return []
    except Exception as error:  # only the predicate knows which ones mean that; the answer matters more than a warning
        if not is_database_away(error):
            raise
        return []
    return [f"No worker serves the zone {zone!r} now: what is queued there waits for one until its ttl is over."]


async def insert(
    connection: AsyncConnection, jobs: Sequence[str], event: AuditEvent | None = None, file_id: str | None = None
) -> list[Accepted | Refused]:
    """Queue what can be queued of `jobs`, each the JSON of a `new_job`; an answer to each, in their order.

    `event`: goes on record if anything is queued. `file_id`: the stored file that the only one of them uploads, which
    needs an event too; it is given up unless that is queued.
    """
    values: dict[str, Any] = {"jobs": f"[{','.join(jobs)}]"}
    statement = _SUBMIT
    if event is not None:
        statement = _SUBMIT_RECORDED
        values["event"] = json.dumps(event.as_json())
    if file_id is not None:
        statement = _SUBMIT_UPLOAD
        values["file"] = UUID(file_id)
    rows = (await connection.execute(statement, values)).all()
    return [_answer(row) for row in rows]


def _answer(row: Row[Any]) -> Accepted | Refused:
    if row.held_in is not None:
        return HeldElsewhere(row.host, row.held_in)
    if row.conflict:
        return KeyReused()
    held = row.worker_id is not None
    return Accepted(row.id, row.state, row.strategy, row.host, row.created_at, row.created, held)


def new_job(intake: Intake, request: Request, submission: Submission) -> dict[str, object]:
    """An object of type netpulse.new_job, without a preferred worker."""
    key = submission.idempotency_key
    options = request.options
    return {
        "driver": request.driver,
        "operation": request.operation,
        "device_key": request.target.device_key,
        "host": request.target.host,
        "port": request.target.port,
        "zone": intake.zone_of(request),
        "strategy": request.strategy,
        "priority": options.priority,
        "request": {**request.public, **_sealed_webhook(intake.seal, request)},
        "sealed": intake.seal.seal(request.secret),
        "ttl_s": options.ttl,
        "execution_timeout_s": options.execution_timeout,
        "max_attempts": 1 + options.retry,
        "submitted_by": submission.principal.name,
        "idempotency_key": key,
        "request_hashes": (submission.request_hashes or intake.seal.digests(request.canonical())) if key else None,
        "batch_id": submission.batch_id and str(submission.batch_id),
        "wave": submission.wave,
    }


def _sealed_webhook(seal: Seal, request: Request) -> dict[str, str]:
    """What outlives the job's own sealed part; a trigger takes it out of the request."""
    webhook = request.options.webhook
    return {"sealed_webhook": seal.seal(webhook.revealed())} if webhook is not None else {}
