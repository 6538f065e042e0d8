"""Reading jobs, and calling them off."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from jobs.host_patterns import HostPatterns, only
from jobs.output_tables import output_text
from jobs.searches import Search, search
from jobs.storage import IS_KEPT
from jobs.tables import job, job_output, stored_file, worker

TRANSFERS = ("upload", "download")
"""Operations of jobs that have files."""

ENDED = frozenset({"finished", "failed", "cancelled"})

_SHOWN = [
    column for column in job.c if column.name not in ("sealed", "request_hash", "idempotency_key", "queue_job_id")
]
_SAID = func.coalesce(output_text.c.body, "").label("stdout")
_CANCEL = text("SELECT * FROM netpulse.cancel_jobs(:id, :host, :strategy, :batch, :hosts, :operations)")
_ABORT = text("SELECT * FROM netpulse.abort_jobs(:id, :host, :strategy, :batch, :hosts, :operations)")


@dataclass(frozen=True)
class JobFilter:
    """Which jobs. Every given field must match."""

    id: UUID | None = None
    status: str | None = None
    strategy: str | None = None
    host: str | None = None
    node: str | None = None
    driver: str | None = None
    batch: UUID | None = None
    schedule: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: UUID | None = None
    """Older than this job: where the last page ended."""
    search: Search | None = None
    """With an output that has this; for finding only."""
    hosts: HostPatterns | None = None
    """On these devices."""
    operations: tuple[str, ...] | None = None
    """One of these; for cancelling only."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job with its outputs, in order."""

    job: Row[Any]
    outputs: Sequence[Row[Any]]
    files: Sequence[Row[Any]] = ()
    """What it brings to its device, or from there; each with `kept`: its content is there still."""

    @property
    def ended(self) -> bool:
        """True in an end state."""
        return self.job.state in ENDED


async def find_jobs(database: AsyncEngine, where: JobFilter, limit: int, outputs_from: int = 0) -> list[JobRecord]:
    """The newest `limit` jobs that match, newest first; of their outputs those from position `outputs_from` on.

    Raises SearchTooLong.
    """
    engine = database.execution_options(isolation_level="READ COMMITTED") if where.search else database
    async with engine.connect() as connection:
        jobs = await _selected(connection, where, limit)
        outputs = await _outputs_of(connection, [row.id for row in jobs], outputs_from)
        files = await _files_of(connection, [row.id for row in jobs if row.operation in TRANSFERS])
    return [JobRecord(row, outputs[row.id], files[row.id]) for row in jobs]


async def _selected(connection: AsyncConnection, where: JobFilter, limit: int) -> Sequence[Row[Any]]:
    if where.search is not None:
        return await search(connection, where.search, _selection(where), limit)
    found: Sequence[Row[Any]] = (await connection.execute(_selection(where).limit(limit))).all()
    return found


async def _outputs_of(connection: AsyncConnection, ids: list[UUID], first: int) -> dict[UUID, list[Row[Any]]]:
    grouped: dict[UUID, list[Row[Any]]] = defaultdict(list)
    if ids:
        wanted = (
            select(job_output, _SAID)
            .outerjoin(output_text, output_text.c.digest == job_output.c.digest)
            .where(job_output.c.job_id.in_(ids), job_output.c.position >= first)
            .order_by(job_output.c.job_id, job_output.c.position)
        )
        for row in await connection.execute(wanted):
            grouped[row.job_id].append(row)
    return grouped


async def _files_of(connection: AsyncConnection, ids: list[UUID]) -> dict[UUID, list[Row[Any]]]:
    grouped: dict[UUID, list[Row[Any]]] = defaultdict(list)
    if ids:
        for row in await connection.execute(select(stored_file, IS_KEPT).where(stored_file.c.job_id.in_(ids))):
            grouped[row.job_id].append(row)
    return grouped


def _selection(where: JobFilter) -> Select[Any]:
    return select(*_SHOWN).where(*_conditions(where)).order_by(job.c.id.desc())


def _conditions(where: JobFilter) -> Iterable[ColumnElement[bool]]:
    equal = {
        "id": job.c.id,
        "strategy": job.c.strategy,
        "host": job.c.host,
        "driver": job.c.driver,
        "batch": job.c.batch_id,
        "schedule": job.c.schedule_id,
    }
    for name, column in equal.items():
        if (value := getattr(where, name)) is not None:
            yield column == value
    if where.status is not None:
        # A claimed change has its worker already: clients see it as started.
        yield job.c.state.in_(("claimed", "started") if where.status == "started" else (where.status,))
    if where.node is not None:
        yield job.c.worker_id.in_(select(worker.c.id).where(worker.c.node == where.node))
    if where.since is not None:
        yield job.c.id >= func.netpulse.uuid7_floor(where.since)
    if where.until is not None:
        yield job.c.id < func.netpulse.uuid7_floor(where.until)
    if where.before is not None:
        yield job.c.id < where.before
    yield from only(job.c.host, where.hosts)


async def cancel_jobs(database: AsyncEngine, where: JobFilter, *, force: bool) -> tuple[list[UUID], list[UUID]]:
    """Cancel what waits and matches id, host, strategy, batch, hosts and operations.

    With `force` ask the workers to abort what runs.

    Returns the ids that are cancelled, and those that were asked for and end a moment later.
    """
    arguments = {
        **{name: getattr(where, name) for name in ("id", "host", "strategy", "batch", "operations")},
        "hosts": None if where.hosts is None else where.hosts.texts,
    }
    async with database.connect() as connection:
        cancelled = list((await connection.execute(_CANCEL, arguments)).scalars())
        if not force:
            return cancelled, []
        aborting = list((await connection.execute(_ABORT, arguments)).scalars())
        # Again: a job that ran at the first look may have gone back to the queue before the second.
        cancelled += (await connection.execute(_CANCEL, arguments)).scalars()
    return cancelled, [job_id for job_id in aborting if job_id not in cancelled]
