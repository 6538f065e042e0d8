"""Sealing again, under the first secret key, what is sealed under another one, while everything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import Column, Row, and_, func, literal, select, text, true, tuple_, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql import ColumnElement

from jobs.access_tables import credential_version
from jobs.seal import Seal, SealBroken
from jobs.tables import detached_task, file_piece, job
from jobs.webhook_tables import webhook_delivery, webhook_secret

BATCH = 100
"""Rows read at a time."""

LOCK_WAIT_MS = 2000
"""For a row that somebody else has, in each walk."""

WALKS = 5
"""Through one kind, at the most."""

_LOCK_NOT_AVAILABLE = "55P03"

# Rows come in the order of their primary key: a plan that sorts would read the whole table for every batch.
_SETTINGS = ("enable_sort = off", "enable_seqscan = off", "enable_bitmapscan = off")

Resealed: TypeAlias = Callable[[Seal, bytes], bytes | None]


def _oldest_sealed_job() -> ColumnElement[Any]:
    """Id of it, or of an older one, by probes of indexes; null: no job has a login (job_unsealed_at_end_check)."""
    unfinished = [job.c.state == literal(state, literal_execute=True) for state in ("queued", "claimed", "started")]
    to_be_confirmed = job.c.sealed.is_not(None) & job.c.confirm_by.is_not(None)
    first = [select(job.c.id).where(some).order_by(job.c.id).limit(1) for some in (*unfinished, to_be_confirmed)]
    return func.least(*(each.scalar_subquery() for each in first))


@dataclass(frozen=True)
class Kind:
    """A column of what is sealed."""

    name: str
    """Of several, for people."""
    column: Column[Any]
    resealed: Resealed = Seal.resealed
    among: ColumnElement[bool] = field(default_factory=true)
    """Where any are."""
    most: int = 1000
    """Rows in memory at one time."""
    copied: bool = False
    """New rows may come with what an older row has, so that one walk can miss one."""


KINDS = (
    Kind("stored credentials", credential_version.c.sealed),
    # Before jobs: those about a task take its login in one transaction that holds the task's row.
    Kind("logins of detached tasks", detached_task.c.sealed),
    # The job that confirms a change takes the login of the one that made it.
    Kind("logins of jobs", job.c.sealed, among=job.c.id >= _oldest_sealed_job(), copied=True),
    # Before deliveries: a job that ends hands its webhook over.
    Kind("webhooks of jobs", webhook_secret.c.sealed),
    Kind("webhooks that are due", webhook_delivery.c.sealed, copied=True),
    Kind("pieces of files", file_piece.c.data, Seal.resealed_bytes, most=8),
)
"""All there are."""


@dataclass(slots=True)
class Count:
    """What became of one kind."""

    looked_at: int = 0
    resealed: int = 0
    """With `dry_run`: to be."""
    broken: int = 0
    """Under none of the keys."""
    locked: int = 0
    """In somebody's long transaction."""


Counts: TypeAlias = Mapping[Kind, Count]
Note: TypeAlias = Callable[[Kind, Count], None]


async def rotate(
    connection: AsyncConnection,
    seal: Seal,
    *,
    batch: int = BATCH,
    dry_run: bool = False,
    note: Note | None = None,
    lock_wait_ms: int = LOCK_WAIT_MS,
) -> Counts:
    """Seal again what is not under the first key; what became of each kind. `note` hears of each batch.

    `connection` commits each statement by itself, and is for this alone. Each row is a transaction of its own, which
    holds one lock and waits for no other: it cannot deadlock. It counts only if the row still has what was read, so
    that an end of the job, or another rotation, wins. May be interrupted anywhere, and begun again.
    """
    for setting in (*_SETTINGS, f"lock_timeout = {lock_wait_ms}"):
        await connection.execute(text(f"SET {setting}"))
    counts = {}
    for kind in KINDS:
        rotation = _Rotation(connection, seal, kind, min(batch, kind.most), dry_run, note)
        counts[kind] = await rotation.all()
    return counts


@dataclass(frozen=True)
class _Rotation:
    connection: AsyncConnection
    seal: Seal
    kind: Kind
    batch: int
    dry_run: bool
    note: Note | None

    async def all(self) -> Count:
        """Walk until nothing is left to do."""
        resealed = 0
        for _ in range(WALKS):
            count = await self._walk()
            again = count.locked or (self.kind.copied and count.resealed)
            resealed += count.resealed
            if self.dry_run or not again:
                break
        count.resealed = resealed
        return count

    async def _walk(self) -> Count:
        count, after = Count(), None
        while rows := await self._rows(after):
            for row in rows:
                await self._look(row, count)
            if self.note is not None:
                self.note(self.kind, count)
            if len(rows) < self.batch:  # what came meanwhile is under the first key
                break
            after = rows[-1][:-1]
        return count

    async def _rows(self, after: Sequence[Any] | None) -> Sequence[Any]:
        """The next ones by their keys; the sealed column is the last."""
        column, keys = self.kind.column, self._keys()
        wanted = select(*keys, column).where(column.is_not(None), self.kind.among).order_by(*keys).limit(self.batch)
        if after is not None:
            values = (literal(value, key.type) for key, value in zip(keys, after, strict=True))
            wanted = wanted.where(tuple_(*keys) > tuple_(*values))
        return (await self.connection.execute(wanted)).all()

    async def _look(self, row: Row[Any], count: Count) -> None:
        count.looked_at += 1
        try:
            new = self.kind.resealed(self.seal, row[-1])
        except SealBroken:
            count.broken += 1
            return
        if new is not None:
            await self._replace(row, new, count)

    async def _replace(self, row: Row[Any], new: bytes, count: Count) -> None:
        if self.dry_run:
            count.resealed += 1
            return
        same = (column == value for column, value in zip((*self._keys(), self.kind.column), row, strict=True))
        replace = update(self.kind.column.table).where(and_(*same)).values({self.kind.column: new})
        try:
            count.resealed += (await self.connection.execute(replace)).rowcount
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            count.locked += 1

    def _keys(self) -> Sequence[Column[Any]]:
        return tuple(self.kind.column.table.primary_key.columns)
