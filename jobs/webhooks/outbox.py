"""The rows of what is to be delivered, as a worker uses them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from jobs.history import JobFilter, JobRecord, find_jobs
from jobs.settings import WebhookSettings
from jobs.tables import job
from jobs.task_rows import task_of
from jobs.webhook_tables import webhook_delivery

CHANNEL = "netpulse_webhook"
"""Notified when a delivery has become due; without a payload."""

LEASE_S = 180.0
"""A worker has so long for one attempt, which takes 120 s at the most; then it counts as lost."""

_CLAIM = text("SELECT * FROM netpulse.claim_deliveries(:worker, :most, :failing, :per_receiver, :failures, :lease)")
_END = text("SELECT netpulse.end_delivery_attempt(:id, :attempt, :status, :error, :duration, :retry, :alive, :rest)")
_NEXT = text("""
    SELECT extract(epoch FROM min(next_at) - clock_timestamp())::float FROM netpulse.webhook_delivery
     WHERE state IN ('due', 'sending') AND next_at > clock_timestamp()""")
_FORGET = text("""
    UPDATE netpulse.webhook_delivery SET sealed = NULL, said = NULL WHERE id IN (
        SELECT id FROM netpulse.webhook_delivery
         WHERE state = 'failed' AND sealed IS NOT NULL AND failed_at < clock_timestamp() - :keep * interval '1 second'
         ORDER BY failed_at LIMIT 1000)""")


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is this worker's for LEASE_S seconds."""

    id: UUID
    job_id: UUID
    event_type: str
    receiver: str
    created_at: datetime
    sealed: bytes | None = field(repr=False)
    attempt: int
    """From 1, over all its life."""
    tries: int
    """From 1, since it was due or put back."""
    failing: bool
    """Its receiver failed too often: it is the only one that is sent there now."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an attempt."""

    error: str | None
    """One sentence; None: delivered."""
    status: int | None = None
    """Of the answer."""
    retry_in_s: float | None = None
    """None: it is over."""
    alive: bool | None = None
    """Of the receiver; None: it was not asked."""


class Outbox:
    """Deliveries in PostgreSQL. Everything raises what SQLAlchemy raises when PostgreSQL is away."""

    def __init__(self, database: AsyncEngine, settings: WebhookSettings, worker: str) -> None:
        """`worker`: its name, for people. `database` commits each statement by itself."""
        self._database = database
        self._settings = settings
        self._worker = worker

    async def claim(self, most: int, failing: int) -> list[Claim]:
        """Up to `most` due deliveries, of which up to `failing` to receivers that fail."""
        own = self._settings
        limits = {"most": most, "failing": failing, "per_receiver": own.per_receiver, "failures": own.failures}
        async with self._database.connect() as connection:
            rows = await connection.execute(_CLAIM, {**limits, "worker": self._worker, "lease": LEASE_S})
            return [Claim(**row._mapping) for row in rows]

    async def end(self, claim: Claim, verdict: Verdict, duration_s: float) -> bool:
        """Keep what came of it; False: the lease was over, and another has it."""
        values: Mapping[str, Any] = {
            "id": claim.id,
            "attempt": claim.attempt,
            "status": verdict.status,
            "error": verdict.error,
            "duration": duration_s,
            "retry": verdict.retry_in_s,
            "alive": verdict.alive,
            "rest": self._settings.rest_s,
        }
        async with self._database.connect() as connection:
            return bool((await connection.execute(_END, values)).scalar_one())

    async def next_in_s(self) -> float | None:
        """Seconds until the next one is due, of those that are not due yet; None: there is none."""
        async with self._database.connect() as connection:
            seconds: float | None = (await connection.execute(_NEXT)).scalar_one()
            return seconds

    async def forget(self) -> None:
        """Remove the sealed parts of what was given up long ago."""
        async with self._database.connect() as connection:
            await connection.execute(_FORGET, {"keep": self._settings.keep_s})

    async def job(self, job_id: UUID) -> JobRecord | None:
        """The job that a delivery is about."""
        found = await find_jobs(self._database, JobFilter(id=job_id), 1)
        return found[0] if found else None

    async def task(self, job_id: UUID) -> Row[Any] | None:
        """The detached task that a delivery is about: the job started it."""
        return await task_of(self._database, job_id)

    async def said(self, delivery: UUID) -> dict[str, Any] | None:
        """The piece of a task's log that a delivery brings."""
        wanted = select(webhook_delivery.c.said).where(webhook_delivery.c.id == delivery)
        async with self._database.connect() as connection:
            piece: dict[str, Any] | None = (await connection.execute(wanted)).scalar_one_or_none()
            return piece

    async def public_webhook(self, job_id: UUID) -> Any:
        """What its request says of the webhook, for one that has no sealed part."""
        wanted = select(job.c.request["options"]["webhook"]).where(job.c.id == job_id)
        async with self._database.connect() as connection:
            return (await connection.execute(wanted)).scalar_one_or_none()


def outbox_engine(url: str) -> AsyncEngine:
    """A few connections for the deliveries alone: jobs never wait for them. Each statement commits by itself."""
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(asyncpg.connect, url, timeout=5, command_timeout=30),
        isolation_level="AUTOCOMMIT",
        pool_size=2,
        max_overflow=0,
        pool_timeout=30,
        pool_pre_ping=True,
    )
