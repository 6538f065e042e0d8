"""Accepting jobs: one SQL function does everything in one transaction. When it has returned, the job cannot be lost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.requests import Request
from jobs.seal import Seal

_SUBMIT = text("SELECT * FROM netpulse.submit_jobs(CAST(:jobs AS jsonb)) ORDER BY position")


class KeyReused(Exception):
    """The idempotency key was used within 24 hours for another request."""


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
    """Who asks, and for what."""

    requests: Sequence[Request]
    principal: str
    idempotency_key: str | None = None
    zone: str = "default"


async def submit(database: AsyncEngine, seal: Seal, submission: Submission) -> list[Accepted]:
    """Queue all requests or none; the result is in their order.

    `database` commits each statement by itself. Raises KeyReused, and what SQLAlchemy raises when PostgreSQL is away:
    then it is not known whether the jobs were accepted, and an idempotency key makes asking again safe.
    """
    jobs = [_new_job(seal, submission, request) for request in submission.requests]
    async with database.connect() as connection:
        rows = (await connection.execute(_SUBMIT, {"jobs": json.dumps(jobs)})).all()
    if any(row.conflict for row in rows):
        raise KeyReused("the Idempotency-Key was used within 24 hours for another request")
    return [
        Accepted(row.id, row.state, row.strategy, row.host, row.created_at, row.created, row.worker_id is not None)
        for row in rows
    ]


def _new_job(seal: Seal, submission: Submission, request: Request) -> dict[str, object]:
    """An object of type netpulse.new_job."""
    key = submission.idempotency_key
    options = request.options
    return {
        "driver": request.driver,
        "operation": request.operation,
        "device_key": request.target.device_key,
        "host": request.target.host,
        "port": request.target.port,
        "zone": submission.zone,
        "strategy": request.strategy,
        "priority": options.priority,
        "request": request.public,
        "sealed": seal.seal(request.secret),
        "ttl_s": options.ttl,
        "execution_timeout_s": options.execution_timeout,
        "max_attempts": 1 + options.retry,
        "submitted_by": submission.principal,
        "idempotency_key": key,
        "request_hashes": seal.digests(request.canonical()) if key else None,
    }
