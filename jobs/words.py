"""What others tell a worker: notices on its channels, and what makes good a notice that got lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeAlias
from uuid import UUID

import asyncpg
import structlog

from jobs.database import LOST, listen
from jobs.queue import JobQueue

log = structlog.get_logger()

Orders: TypeAlias = Mapping[str, Callable[[list[str]], None]]
"""By verb, what to do with the rest of the word (see wake.sql). Unknown verbs (a newer version's) are ignored."""


class Words:
    """Listens for one worker as long as it lives, also while it drains."""

    LOOK_S = 5.0

    def __init__(self, queue: JobQueue, *, wake: Callable[[Iterable[str] | None], None], orders: Orders) -> None:
        """`wake`: there may be something to fetch: fifo jobs, and pinned ones for these devices (None: for any)."""
        self._queue = queue
        self._wake = wake
        self._orders = orders
        self._missed = asyncio.Event()

    async def hear(self, url: str, zone: str) -> None:
        """Obey the notices for this worker and its zone, for ever."""
        channels = {f"netpulse:w:{self._queue.worker_id}": self._heard, f"netpulse:fifo:{zone}": self._heard_fifo}
        await listen(url, channels, self._reconnected)

    async def look_after_cancels(self) -> None:
        """Ask which running jobs shall be aborted: whenever notices may have been missed, and every LOOK_S seconds."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._missed.wait(), self.LOOK_S)
            self._missed.clear()
            try:
                for job_id in await self._queue.requested_cancels():
                    self._obey("cancel", [str(job_id)])
            except (*LOST, asyncpg.PostgresError) as error:  # the next look makes it good
                log.warning("cancels.unknown", error=type(error).__name__)

    def _heard(self, word: str) -> None:
        if not word:
            self._wake(None)
            return
        verb, *subjects = word.split()
        if verb == "work":
            self._wake(subjects)
        else:
            self._obey(verb, subjects)

    def _heard_fifo(self, _word: str) -> None:
        self._wake(())

    def _obey(self, verb: str, subjects: list[str]) -> None:
        if order := self._orders.get(verb):
            order(subjects)

    def _reconnected(self) -> None:
        self._wake(None)
        self._missed.set()


def job_ids(subjects: list[str]) -> list[UUID]:
    """The subjects of a `cancel`."""
    return [UUID(subject) for subject in subjects]
