"""Removing what is over and old: in small batches, each a short transaction, with most of the time left to others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import structlog

from jobs.database import LOST, Connection, connect
from jobs.retention_kinds import KINDS, Kind
from jobs.settings import RetentionSettings

log = structlog.get_logger()

BATCH = 500
"""Rows that one transaction looks at."""

REST = 3
"""Pauses are so many times as long as the batches before them."""

LOOK_S = 30
"""A worker asks so often whether a round is due."""

LOCKED_S = 1.0
"""Pause where a lock was waited for in vain."""

MOST_COUNTED = 100_000
"""Rows that a preview looks at, of each kind."""

# Rows come in the order of their keys: a plan that sorts would read the whole table for every batch. A removal that a
# crash of the server undoes is made again: it need not wait for the disk.
_SETTINGS = (
    "enable_sort = off",
    "enable_seqscan = off",
    "enable_bitmapscan = off",
    "jit = off",
    "lock_timeout = '1s'",
    "synchronous_commit = off",
)

_NOTE = """
    UPDATE netpulse.retention_round
       SET seen_at = clock_timestamp(),
           removed = removed || jsonb_build_object($2::text, coalesce((removed -> $2::text)::bigint, 0) + $3::bigint)
     WHERE id = $1
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a transaction did, and the seconds that it took."""

    kind: str
    looked_at: int
    removed: int
    took_s: float


@dataclass(slots=True)
class Preview:
    """What would go of one kind. `more`: only the first MOST_COUNTED rows were looked at."""

    kind: str
    count: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    more: bool = False
    allowed: bool = True


async def keep_retention(url: str, settings: RetentionSettings, name: str) -> None:
    """Do a round whenever one is due, as worker `name`, until cancelled. Rounds are never under way twice."""
    while settings.every_s:
        await asyncio.sleep(min(LOOK_S, settings.every_s))
        try:
            connection = await connect(url)
            try:
                await _round_if_due(connection, settings, name)
            finally:
                connection.terminate()
        except (*LOST, asyncpg.PostgresError) as error:  # what is done is done; another round does the rest
            log.warning("retention.failed", error=type(error).__name__)
    await asyncio.Event().wait()  # a worker's duties never end by themselves


async def _round_if_due(connection: Connection, settings: RetentionSettings, name: str) -> None:
    round_id = await begin(connection, name, settings.every_s)
    if round_id is None:
        return
    async for batch in remove(connection, settings, round_id):
        if batch.removed:
            log.debug("retention.removed", kind=batch.kind, count=batch.removed)
        await asyncio.sleep(batch.took_s * REST)


async def begin(connection: Connection, by: str, every_s: float = 0) -> int | None:
    """A round's id; None: another session's is under way, or one ended within `every_s` seconds.

    The connection is for the round alone, and closed after it.
    """
    for setting in _SETTINGS:
        await connection.execute(f"SET {setting}")
    round_id: int | None = await connection.fetchval("SELECT netpulse.begin_retention($1, $2)", by, float(every_s))
    return round_id


async def remove(
    connection: Connection, settings: RetentionSettings, round_id: int, size: int = BATCH
) -> AsyncIterator[Batch]:
    """Remove what `settings` do not keep, until nothing is left, telling of each batch after its commit.

    May be left between two batches, or die in one: what is done is done.
    """
    for kind in KINDS:
        async for batch in _remove_kind(connection, kind, settings, round_id, size):
            yield batch
    end = "UPDATE netpulse.retention_round SET ended_at = clock_timestamp() WHERE id = $1"
    await connection.execute(end, round_id)


async def preview(connection: Connection, settings: RetentionSettings) -> list[Preview]:
    """What a round would remove. Looks at MOST_COUNTED rows of each kind at the most."""
    for setting in _SETTINGS:
        await connection.execute(f"SET {setting}")
    return [await _preview_kind(connection, kind, settings) for kind in KINDS]


async def _remove_kind(
    connection: Connection, kind: Kind, settings: RetentionSettings, round_id: int, size: int
) -> AsyncIterator[Batch]:
    border = await _border(connection, kind, settings)
    if border is None or not await connection.fetchval(kind.allowed):
        return
    after: str | None = None
    while True:
        began = asyncio.get_running_loop().time()
        try:
            keys, removed = await _batch(connection, kind, round_id, (border, after, size))
        except asyncpg.LockNotAvailableError:  # by somebody's long transaction
            await asyncio.sleep(LOCKED_S)
            continue
        if keys:
            yield Batch(kind.name, len(keys), removed, asyncio.get_running_loop().time() - began)
        if len(keys) < size:
            return
        after = keys[-1]


async def _batch(
    connection: Connection, kind: Kind, round_id: int, arguments: tuple[Any, str | None, int]
) -> tuple[list[str], int]:
    """One transaction; the keys of the rows that it looked at, and how many of them it removed."""
    async with connection.transaction():
        rows = await connection.fetch(kind.walk, *arguments, timeout=30)
        going = [row["key"] for row in rows if row["goes"]]
        removed = await connection.fetchval(kind.remove, going, timeout=60) if going else 0
        await connection.execute(_NOTE, round_id, kind.name, removed)
    return [row["key"] for row in rows], removed


async def _preview_kind(connection: Connection, kind: Kind, settings: RetentionSettings) -> Preview:
    found, after, looked_at = Preview(kind.name), None, 0
    border = await _border(connection, kind, settings)
    found.allowed = bool(await connection.fetchval(kind.allowed))
    while border is not None and found.allowed:
        rows = await connection.fetch(kind.walk, border, after, 10 * BATCH, timeout=30)
        _count(found, [row["at"] for row in rows if row["goes"]])
        looked_at += len(rows)
        found.more = looked_at >= MOST_COUNTED
        if len(rows) < 10 * BATCH or found.more:
            break
        after = rows[-1]["key"]
    return found


def _count(found: Preview, ages: list[datetime]) -> None:
    if ages:
        found.count += len(ages)
        found.oldest = min(ages) if found.oldest is None else min(found.oldest, *ages)
        found.newest = max(ages) if found.newest is None else max(found.newest, *ages)


async def _border(connection: Connection, kind: Kind, settings: RetentionSettings) -> Any:
    """Of a walk; None: nothing goes."""
    kept = kind.kept(settings)
    return await connection.fetchval(kind.border, kept, timeout=300) if kept else None
