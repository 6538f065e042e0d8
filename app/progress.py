"""Batches that clients watch: counted at most twice a second each, however many watch."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.waiters import ANY_END, LOOK_S, Waiters, progress_of, woken
from jobs.away import is_database_away
from jobs.progress import BatchProgress, find_progress

PAUSE_S = 0.5
"""Between two looks at a batch."""


class ProgressFeeds:
    """The last counts of each batch that somebody watches."""

    def __init__(self, database: AsyncEngine, waiters: Waiters) -> None:
        self._database = database
        self._waiters = waiters
        self._clients: Counter[UUID] = Counter()
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._latest: dict[UUID, BatchProgress] = {}

    def latest(self, batch_id: UUID) -> BatchProgress | None:
        """As counted a moment ago; None before the first time."""
        return self._latest.get(batch_id)

    @contextmanager
    def watch(self, batch_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever `latest` changes."""
        self._clients[batch_id] += 1
        if batch_id not in self._tasks:
            self._tasks[batch_id] = asyncio.create_task(self._count(batch_id))
        try:
            with self._waiters.watch(progress_of(batch_id)) as event:
                yield event
        finally:
            self._clients[batch_id] -= 1
            if not self._clients[batch_id]:
                self._tasks.pop(batch_id).cancel()
                del self._clients[batch_id]
                self._latest.pop(batch_id, None)

    async def _count(self, batch_id: UUID) -> None:
        """Until the batch has ended, or nobody watches any more."""
        with self._waiters.watch(ANY_END) as changed:
            while not self._waiters.closing:
                changed.clear()  # before looking: a notice that comes meanwhile must not be lost
                progress = await self._look(batch_id)
                if progress is not None and progress != self._latest.get(batch_id):
                    self._latest[batch_id] = progress
                    self._waiters.wake(progress_of(batch_id))
                if progress is not None and progress.ended:
                    return
                await asyncio.sleep(PAUSE_S)
                await woken(changed, LOOK_S - PAUSE_S)  # claiming gives no notice

    async def _look(self, batch_id: UUID) -> BatchProgress | None:
        try:
            return await find_progress(self._database, batch_id)
        except Exception as error:  # only the predicate knows which ones mean that: then later
            if not is_database_away(error):
                raise
            return None
