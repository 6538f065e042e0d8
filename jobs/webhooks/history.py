"""Reading deliveries and their attempts, and putting back one that was given up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from jobs.host_patterns import HostPatterns, only
from jobs.tables import job
from jobs.webhook_tables import webhook_attempt, webhook_delivery

_SHOWN = [column for column in webhook_delivery.c if column.name not in ("sealed", "attempts_before")]


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries. Every given field must match."""

    id: UUID | None = None
    job: UUID | None = None
    state: str | None = None
    receiver: str | None = None
    since: datetime | None = None
    before: UUID | None = None
    """Older than this delivery: where the last page ended."""
    hosts: HostPatterns | None = None
    """Of jobs on these devices."""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery with its attempts, in order."""

    delivery: Row[Any]
    attempts: Sequence[Row[Any]]


async def find_deliveries(database: AsyncEngine, where: DeliveryFilter, limit: int) -> list[DeliveryRecord]:
    """The newest `limit` deliveries that match, newest first."""
    wanted = select(*_SHOWN).where(*_conditions(where)).order_by(webhook_delivery.c.id.desc()).limit(limit)
    if where.hosts is not None:
        wanted = wanted.join(job, job.c.id == webhook_delivery.c.job_id)
    async with database.connect() as connection:
        rows = (await connection.execute(wanted)).all()
        attempts = await _attempts_of(connection, [row.id for row in rows])
    return [DeliveryRecord(row, attempts[row.id]) for row in rows]


async def redeliver(database: AsyncEngine, delivery: UUID) -> bool:
    """Put back one that was given up; False: it was not, or its secrets are gone."""
    async with database.connect() as connection:
        return bool((await connection.execute(select(func.netpulse.redeliver(delivery)))).scalar_one())


async def _attempts_of(connection: AsyncConnection, ids: list[UUID]) -> dict[UUID, list[Row[Any]]]:
    grouped: dict[UUID, list[Row[Any]]] = defaultdict(list)
    if ids:
        own = webhook_attempt.c
        wanted = select(webhook_attempt).where(own.delivery_id.in_(ids)).order_by(own.delivery_id, own.number)
        for row in await connection.execute(wanted):
            grouped[row.delivery_id].append(row)
    return grouped


def _conditions(where: DeliveryFilter) -> Iterable[ColumnElement[bool]]:
    own = webhook_delivery.c
    equal = {"id": own.id, "job": own.job_id, "state": own.state, "receiver": own.receiver}
    for name, column in equal.items():
        if (value := getattr(where, name)) is not None:
            yield column == value
    if where.since is not None:
        yield own.id >= func.netpulse.uuid7_floor(where.since)
    if where.before is not None:
        yield own.id < where.before
    yield from only(job.c.host, where.hosts)
