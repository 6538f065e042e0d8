"""One attempt at a job: its session, and what is heard from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar
from uuid import UUID

import asyncpg
import structlog

from drivers.base import Reply, Report, Session
from drivers.pool import Lease
from jobs.queue import JobQueue
from jobs.results import Progress, output_row
from jobs.work import Work
from jobs.world import World

log = structlog.get_logger()

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """A job that has its session."""

    world: World
    work: Work
    progress: Progress
    lease: Lease
    session: Session
    """The driver's view of the lent session."""
    login_s: float = 0.0
    """Seconds until the session was there."""

    async def do(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a method of the session in a thread. Cancelled, it aborts the session and waits for the thread."""
        return await self.lease.call(function, *args, **kwargs)

    def reporter(self, phase: str = "main", *, last: int | None = None) -> Report:
        """What the session's thread calls as each command ends: keeps the reply, and writes it if the job goes on.

        `last`: the number of replies with which the job ends; that one is written by its end.
        """
        loop = asyncio.get_running_loop()
        recorder = Recorder(self.world.queue, self.work.job.id, self.progress)

        def report(reply: Reply) -> None:
            self.progress.add(replace(reply, phase=phase))
            if len(self.progress.replies) != last:
                loop.call_soon_threadsafe(recorder.note)

        return report


class Recorder:
    """Writes the outputs of a job that goes on: one statement at a time, with all that came since the last one."""

    def __init__(self, queue: JobQueue, job_id: UUID, progress: Progress) -> None:
        self._queue = queue
        self._job_id = job_id
        self._progress = progress
        self._recorded = 0
        self._writing: asyncio.Task[None] | None = None

    def note(self) -> None:
        """There are new replies. What this does not get to, the end of the job writes."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while new := self._progress.replies[self._recorded :]:
            rows = [output_row(self._job_id, self._recorded + i, reply, self._progress) for i, reply in enumerate(new)]
            self._recorded += len(new)
            try:
                if not await self._queue.record(self._job_id, rows):
                    return
            except asyncpg.PostgresError as error:  # the end of the job writes it again, and copes with a refusal
                log.warning("job.output_refused", job=str(self._job_id), error=type(error).__name__)
