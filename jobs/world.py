"""What jobs run in: the worker's collaborators, and the jobs under way."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from drivers.base import Driver, Guard
from drivers.pool import SessionPool
from jobs.credentials.resolver import Resolver
from jobs.logins import Logins
from jobs.queue import JobQueue
from jobs.seal import Seal
from jobs.settings import StorageSettings, TemplateSettings
from jobs.template_runner import TemplateRunner


async def _no_library(_kind: str, _name: str, _version: int | None) -> str | None:
    return None


@dataclass(frozen=True)
class World:
    """What a job needs, built once in the worker's main."""

    drivers: Mapping[str, Driver]
    sessions: SessionPool
    seal: Seal
    queue: JobQueue
    guard: Guard
    storage: StorageSettings = field(default_factory=StorageSettings)
    logins: Logins = field(default_factory=lambda: Logins(Resolver({}, "none", 0)))
    templates: TemplateRunner = field(default_factory=lambda: TemplateRunner.of(_no_library, TemplateSettings()))
    running: dict[UUID, Running] = field(default_factory=dict)
    called_off: deque[UUID] = field(default_factory=lambda: deque(maxlen=1000))
    """Jobs that were to be stopped when they were not running here: claimed, perhaps, and about to."""

    def stop(self, job_id: UUID) -> None:
        """Abort a job, also one that starts a moment later."""
        if job_id in self.running:
            self.running[job_id].stop()
        elif job_id not in self.called_off:
            self.called_off.append(job_id)


@dataclass
class Running:
    """A job under way, as somebody who wants to stop it sees it."""

    scope: asyncio.Timeout
    asked_to_stop: bool = False

    def stop(self) -> None:
        """Abort the job; it ends as `cancelled` once its device I/O has stopped."""
        if self.scope.expired():  # asked before, or out of time: it is being aborted already
            return
        self.asked_to_stop = True
        self.scope.reschedule(asyncio.get_running_loop().time())
