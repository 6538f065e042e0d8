"""Clients that wait for a job's end: one LISTEN connection per process, an event per waiting client."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from jobs.database import listen


class Waiters:
    """Wakes those who wait for a job. A wake-up says «look again», no more: notices may be missed or come twice."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._events: dict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._listening: asyncio.Task[None] | None = None
        self.closing = False

    @property
    def waiting(self) -> int:
        """Clients that wait now."""
        return sum(len(events) for events in self._events.values())

    def start(self) -> None:
        """Begin to listen, in the running event loop."""
        self._listening = asyncio.create_task(listen(self._url, {"netpulse_job_ended": self._ended}, self._wake_all))

    async def stop(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    def dismiss(self) -> None:
        """Let every client have its answer now, and no one wait any more: the process is about to stop."""
        self.closing = True
        self._wake_all()

    @contextmanager
    def watch(self, job_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set whenever the job may have ended."""
        event = asyncio.Event()
        self._events[job_id].add(event)
        try:
            yield event
        finally:
            self._events[job_id].discard(event)
            if not self._events[job_id]:
                del self._events[job_id]

    def _ended(self, payload: str) -> None:
        for text in payload.split(","):
            for event in self._events.get(UUID(text), ()):
                event.set()

    def _wake_all(self) -> None:
        for events in self._events.values():
            for event in events:
                event.set()
