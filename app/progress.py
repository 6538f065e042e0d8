"""Batches that clients watch: counted at most twice a second each, however many watch."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from app.waiters import ANY_END, LOOK_S, Waiters, progress_of, woken
from jobs.away import is_database_away
from jobs.host_patterns import HostPatterns
from jobs.progress import BatchProgress, find_progress

PAUSE_S = 0.5
"""Between two looks at a batch."""


class Watched(NamedTuple):
    """A batch, as clients see it who may see these hosts."""

    batch_id: UUID
    hosts: HostPatterns | None


class ProgressFeeds:
    """The last counts of each batch that somebody watches."""

    def __init__(self, database: AsyncEngine, waiters: Waiters) -> None:
        self._database = database
        self._waiters = waiters
        self._clients: Counter[Watched] = Counter()
        self._tasks: dict[Watched, asyncio.Task[None]] = {}
        self._latest: dict[Watched, BatchProgress] = {}

    def latest(self, watched: Watched) -> BatchProgress | None:
        """As counted a moment ago; None before the first time."""
        return self._latest.get(watched)

    @contextmanager
    def watch(self, watched: Watched) -> Iterator[asyncio.Event]:
        """An event that is set whenever `latest` changes."""
        self._clients[watched] += 1
        if watched not in self._tasks:
            self._tasks[watched] = asyncio.create_task(self._count(watched))
        try:
            with self._waiters.watch(progress_of(watched.batch_id)) as event:
                yield event
        finally:
            self._clients[watched] -= 1
            if not self._clients[watched]:
                self._tasks.pop(watched).cancel()
                del self._clients[watched]
                self._latest.pop(watched, None)

    async def _count(self, watched: Watched) -> None:
        """Until the batch has ended, or nobody watches any more."""
        with self._waiters.watch(ANY_END) as changed:
            while not self._waiters.closing:
                changed.clear()  # before looking: a notice that comes meanwhile must not be lost
                progress = await self._look(watched)
                if progress is not None and progress != self._latest.get(watched):
                    self._latest[watched] = progress
                    self._waiters.wake(progress_of(watched.batch_id))
                if progress is not None and progress.ended:
                    return
                await asyncio.sleep(PAUSE_S)
                await woken(changed, LOOK_S - PAUSE_S)  # claiming gives no notice

    async def _look(self, watched: Watched) -> BatchProgress | None:
        try:
            return await find_progress(self._database, *watched)
        except Exception as error:  # only the predicate knows which ones mean that: then later
            if not is_database_away(error):
                raise
            return None
