"""Refused requests on their way to the audit trail: who guesses keys makes many, so they are written in batches."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from app.waiters import woken
from jobs.audit import AuditEvent, Waited, write_events

log = structlog.get_logger()

MOST = 10_000
"""So many may wait, a kilobyte each; of those beyond only the number is recorded."""

MOST_NAMELESS = 600
"""Of those without a known key so many a minute are written, of the others the number: else anybody fills the disk."""

BATCH = 500
GATHER_S = 0.2
RETRY_S = 1.0
FLUSH_S = 3.0
"""At shutdown they have so long to get to PostgreSQL."""


class Refusals:
    """Takes events at once, and writes them a moment later."""

    def __init__(self, database: AsyncEngine, most: int = MOST) -> None:
        self._database = database
        self._most = most
        self._waiting: deque[tuple[float, AuditEvent]] = deque()
        self._lost = 0
        self._minute, self._nameless = 0, 0
        self._filled = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def add(self, event: AuditEvent) -> None:
        """Have it written; when too many wait already, or came without a known key, it is only counted."""
        if len(self._waiting) < self._most and not self._is_one_too_many(event):
            self._waiting.append((time.monotonic(), event))
        else:
            self._lost += 1
        self._filled.set()

    def _is_one_too_many(self, event: AuditEvent) -> bool:
        if event.actor is not None:
            return False
        minute = int(time.monotonic() // 60)
        self._nameless = self._nameless + 1 if minute == self._minute else 1
        self._minute = minute
        return self._nameless > MOST_NAMELESS

    def start(self) -> None:
        """Begin to write, in the running event loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Write what waits, and end. What PostgreSQL does not take in time is lost, and the log says how many."""
        self._closing.set()
        self._filled.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=FLUSH_S)
            self._task.cancel()
        if self._waiting or self._lost:
            log.error("audit.refusals_lost", count=len(self._waiting) + self._lost)

    async def _run(self) -> None:
        while not self._closing.is_set():
            await self._filled.wait()
            await woken(self._closing, GATHER_S)
            self._filled.clear()
            await self._write_all()
        await self._write_all()

    async def _write_all(self) -> None:
        while self._waiting or self._lost:
            batch, lost = [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))], self._lost
            try:
                await write_events(self._database, _rows(batch, lost))
            except Exception as error:  # noqa: BLE001 - nobody awaits this task, and it must go on
                log.error("audit.refusals_not_recorded", count=len(self._waiting), error=type(error).__name__)
                self._filled.set()
                await woken(self._closing, RETRY_S)
                return
            self._lost -= lost
            for _ in batch:
                self._waiting.popleft()


def _rows(batch: list[tuple[float, AuditEvent]], lost: int) -> list[AuditEvent | Waited]:
    now = time.monotonic()
    rows: list[AuditEvent | Waited] = [Waited(event, now - at) for at, event in batch]
    if lost:
        reason = "more were refused at once than could be recorded"
        rows.append(AuditEvent("refusals not recorded", allowed=False, reason=reason, detail={"count": lost}))
    return rows
