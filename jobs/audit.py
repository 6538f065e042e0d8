"""What was decided: audit events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import ColumnElement, Row, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.access_tables import audit_event
from jobs.host_patterns import HostPatterns, only

LONGEST_TEXT = 1000
"""Characters of an event's text that are kept: paths and reasons may repeat what clients sent."""

_RECORD = text("SELECT netpulse.record_audit_events(CAST(:events AS jsonb))")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One decision. What the fields mean: see `jobs.access_tables.audit_event`."""

    action: str
    allowed: bool
    actor: str | None = None
    client: str | None = None
    request_id: str | None = None
    host: str | None = None
    subject: str | None = None
    reason: str | None = None
    job_id: UUID | None = None
    batch_id: UUID | None = None
    detail: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """As `jsonb_populate_record(null::netpulse.audit_event, …)` takes it; what is None is left out."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return {name: _storable(value) for name, value in values.items()}


def _storable(value: Any) -> Any:
    """PostgreSQL's texts have no NUL, and its JSON no half of a surrogate pair: one such would stop a whole batch."""
    match value:
        case UUID():
            return str(value)
        case str():
            return value[:LONGEST_TEXT].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        case dict():
            return {_storable(name): _storable(each) for name, each in value.items()}
        case list() | tuple():
            return [_storable(each) for each in value]
    return value


@dataclass(frozen=True, slots=True)
class Waited:
    """An event that is written later than it happened."""

    event: AuditEvent
    age_s: float

    def as_json(self) -> dict[str, Any]:
        """The event's, with its age."""
        return self.event.as_json() | {"age_s": self.age_s}


async def write_events(database: AsyncEngine, events: Iterable[AuditEvent | Waited]) -> None:
    """Put events on record, all or none, in a transaction of their own. Raises what SQLAlchemy raises."""
    async with database.connect() as connection:
        await connection.execute(_RECORD, {"events": json.dumps([event.as_json() for event in events])})


def record(connection: psycopg.Connection[Any], event: AuditEvent) -> None:
    """Put one event on record within the transaction of `connection`: for the command line, whose actor is `cli`."""
    connection.execute("SELECT netpulse.record_audit_events(%s)", [json.dumps([event.as_json()])])


@dataclass(frozen=True)
class AuditFilter:
    """Which events. Every given field must match."""

    actor: str | None = None
    host: str | None = None
    job_id: UUID | None = None
    batch_id: UUID | None = None
    action: str | None = None
    allowed: bool | None = None
    request_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    """Recorded before this event: where the last page ended."""
    hosts: HostPatterns | None = None
    """Only what was decided about one of these devices."""


async def find_events(database: AsyncEngine, where: AuditFilter, limit: int) -> Sequence[Row[Any]]:
    """The `limit` events that match and were recorded last, the last one first."""
    wanted = select(audit_event).where(*_conditions(where)).order_by(audit_event.c.id.desc()).limit(limit)
    async with database.connect() as connection:
        return (await connection.execute(wanted)).all()


def _conditions(where: AuditFilter) -> Iterable[ColumnElement[bool]]:
    yield from only(audit_event.c.host, where.hosts)
    for name in ("actor", "host", "job_id", "batch_id", "action", "request_id"):
        if (value := getattr(where, name)) is not None:
            yield audit_event.c[name] == value
    if where.allowed is not None:
        yield audit_event.c.allowed if where.allowed else ~audit_event.c.allowed
    if where.since is not None:
        yield audit_event.c.at >= where.since
    if where.until is not None:
        yield audit_event.c.at < where.until
    if where.before is not None:
        yield audit_event.c.id < where.before
