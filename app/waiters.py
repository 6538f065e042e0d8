"""Clients that wait for something to change: one LISTEN connection per process, an event per waiting client."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog import get_logger

from jobs.database import listen
from jobs.tables import job

log = get_logger()

LOOK_S = 1.0
"""Claiming a job gives no notice, so for those who watch it, its state is looked up this often: one query for all."""


class Topic(NamedTuple):
    """What a client waits for."""

    kind: str
    id: UUID | None = None


ANY_END = Topic("any end")


def end_of(job_id: UUID) -> Topic:
    """The end of a job."""
    return Topic("end", job_id)


def change_of(job_id: UUID) -> Topic:
    """Each change of a job's state, each finished command, and its end."""
    return Topic("change", job_id)


def progress_of(batch_id: UUID) -> Topic:
    """New counts of a batch."""
    return Topic("progress", batch_id)


class Waiters:
    """Wakes those who wait. A wake-up says «look again», no more: notices may be missed or come twice."""

    def __init__(self, url: str, database: AsyncEngine) -> None:
        self._url = url
        self._database = database
        self._events: dict[Topic, set[asyncio.Event]] = defaultdict(set)
        self._tasks: list[asyncio.Task[None]] = []
        self._states: dict[UUID, str] = {}
        self.closing = False

    @property
    def waiting(self) -> int:
        """Clients that wait now."""
        return sum(len(events) for events in self._events.values())

    def start(self) -> None:
        """Begin to listen, in the running event loop."""
        heard = {"netpulse_job_ended": self._ended, "netpulse_job_changed": self._changed}
        self._tasks = [
            asyncio.create_task(listen(self._url, heard, self._wake_all)),
            asyncio.create_task(self._look()),
        ]

    async def stop(self) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def dismiss(self) -> None:
        """Let every client have its answer now, and no one wait any more: the process is about to stop."""
        self.closing = True
        self._wake_all()

    @contextmanager
    def watch(self, topic: Topic) -> Iterator[asyncio.Event]:
        """An event that is set whenever it may have happened."""
        event = asyncio.Event()
        self._events[topic].add(event)
        try:
            yield event
        finally:
            self._events[topic].discard(event)
            if not self._events[topic]:
                del self._events[topic]

    def wake(self, topic: Topic) -> None:
        """Set the events of those who wait for it."""
        for event in self._events.get(topic, ()):
            event.set()

    def _ended(self, payload: str) -> None:
        for text in payload.split(","):
            self.wake(end_of(UUID(text)))
            self.wake(change_of(UUID(text)))
        self.wake(ANY_END)

    def _changed(self, payload: str) -> None:
        for text in payload.split(","):
            self.wake(change_of(UUID(text)))

    def _wake_all(self) -> None:
        for topic in self._events:
            self.wake(topic)

    async def _look(self) -> None:
        """Wake those whose job is in another state than a moment ago."""
        while True:
            await asyncio.sleep(LOOK_S)
            watched = [topic.id for topic in self._events if topic.kind == "change"]
            if not watched:
                self._states = {}
                continue
            try:
                states = await self._states_of(watched)
            except Exception as error:  # noqa: BLE001 - mostly PostgreSQL away; nobody awaits this task, and it must go on
                log.warning("waiters.look_failed", error=type(error).__name__)
                continue
            for job_id, state in states.items():
                if self._states.get(job_id) != state:
                    self.wake(change_of(job_id))
            self._states = states

    async def _states_of(self, ids: list[UUID | None]) -> dict[UUID, str]:
        async with self._database.connect() as connection:
            rows = await connection.execute(select(job.c.id, job.c.state).where(job.c.id.in_(ids)))
            return {row.id: row.state for row in rows}


async def woken(event: asyncio.Event, timeout_s: float) -> None:
    """Return when `event` is set, or after `timeout_s` seconds."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_s)
