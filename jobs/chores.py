"""What one worker does for all: declaring silent workers dead, ending jobs that waited too long, sweeping up."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import asyncpg
import structlog

from jobs.database import LOST, Connection, connect
from jobs.settings import TaskSettings

log = structlog.get_logger()

LOCK = 0x6E65747075  # "netpu": pg_try_advisory_xact_lock; at most one worker does chores at a time
MOST_EXPIRED = 1000
MOST_PRUNED = 1000
MOST_PIECES = 200
"""Pieces of files that one turn removes: 100 MiB."""

MOST_TALLIED = 10_000

MOST_LOOKS = 100
"""Detached tasks that one turn has looked at."""


class Observer:
    """Watches heartbeats stand still by this process's monotonic clock: no two machines' clocks are compared."""

    def __init__(self, dead_s: float, blind_s: float) -> None:
        """`blind_s`: after a longer gap between two looks, everything seen before counts for nothing."""
        self._dead_s = dead_s
        self._blind_s = blind_s
        self._seen: dict[int, tuple[int, float]] = {}
        self._looked = 0.0

    def look(self, beats: dict[int, int], now: float) -> dict[int, int]:
        """`beats`: heartbeat count by worker, as of `now`. Returns those that have stood still for `dead_s`."""
        if now - self._looked > self._blind_s:
            self._seen.clear()
        self._looked = now
        self._seen = {
            worker: self._seen[worker] if worker in self._seen and self._seen[worker][0] == count else (count, now)
            for worker, count in beats.items()
        }
        return {worker: count for worker, (count, since) in self._seen.items() if now - since > self._dead_s}


async def do_chores(url: str, every_s: float, dead_s: float, tasks: TaskSettings) -> None:
    """Look and act every `every_s` seconds or a little more, until cancelled."""
    observer = Observer(dead_s, blind_s=3 * every_s + 1)
    connection: Connection | None = None
    try:
        while True:
            await asyncio.sleep(every_s * random.uniform(1, 1.2))  # noqa: S311 - only keeps workers out of step
            try:
                if connection is None:
                    connection = await connect(url)
                await _do_chores_once(connection, observer, tasks)
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("chores.failed", error=type(error).__name__)
                if connection is not None:
                    connection.terminate()
                    connection = None
    finally:
        if connection is not None:
            connection.terminate()


async def _do_chores_once(connection: Connection, observer: Observer, tasks: TaskSettings) -> None:
    rows = await connection.fetch("SELECT id, beat FROM netpulse.worker WHERE state <> 'dead'", timeout=5)
    silent = observer.look({row["id"]: row["beat"] for row in rows}, asyncio.get_running_loop().time())
    for worker, count in silent.items():  # a transaction each: see reap_worker.sql
        handed_over = await _alone(connection, "SELECT netpulse.reap_worker($1, $2)", worker, count)
        if handed_over is not None:  # null: it has beaten after all, or another reaper was first
            log.warning("worker.reaped", worker=worker, **handed_over)
    await _alone(connection, "SELECT netpulse.expire_jobs($1)", MOST_EXPIRED)
    await _alone(connection, "SELECT netpulse.prune_workers($1)", MOST_PRUNED)
    await _alone(connection, "SELECT netpulse.forget_unconfirmed()")
    await _alone(connection, "SELECT netpulse.sweep_files($1)", MOST_PIECES)
    look_after = "SELECT netpulse.look_after_tasks($1, $2, $3)"
    await _alone(connection, look_after, tasks.look_s, tasks.retention_s, MOST_LOOKS)
    await _alone(connection, "SELECT netpulse.advance_rollouts()")
    await _alone(connection, "SELECT netpulse.fold_tally($1)", MOST_TALLIED)


async def _alone(connection: Connection, sql: str, *values: float) -> Any:
    """What `sql` says, in a transaction of its own; None while another worker does chores."""
    async with connection.transaction():
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK, timeout=5):
            return None
        return await connection.fetchval(sql, *values, timeout=30)
