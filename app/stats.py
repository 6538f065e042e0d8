"""`/system/stats`: how the site is doing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from litestar import Request, get
from pydantic import TypeAdapter

from app import __version__
from app.envelope import Envelope
from app.failures import failures
from app.services import Needed
from jobs.principal import Forbidden
from jobs.stats import site_stats

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class MinuteView:
    """How many jobs ended in the minute that began `at`."""

    at: datetime
    finished: int
    failed: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class JobsView:
    """Jobs in the history by state. `waiting` counts to 100,000. `ended_ever`: with those that retention removed.

    `oldest_waiting_since`: when the job that waits longest was accepted; null: none waits. `per_minute`: the last ten
    minutes, the current one last.
    """

    waiting: int
    running: int
    finished: int
    failed: int
    cancelled: int
    ended_ever: int
    oldest_waiting_since: datetime | None
    per_minute: list[MinuteView]


@dataclass(frozen=True, slots=True)
class ZoneView:
    """The workers of a zone that are not dead. `busy`: jobs that run there. `capacity`: sessions that they may hold."""

    zone: str
    workers: int
    busy: int
    held_sessions: int
    capacity: int


@dataclass(frozen=True, slots=True)
class SchedulesView:
    """`next_at`: the tick that is due next; null: none is."""

    enabled: int
    disabled: int
    next_at: datetime | None


@dataclass(frozen=True, slots=True)
class RetentionView:
    """The latest round of removal. `by`: a worker, or cli. `ended_at`: null while it goes on, or if it was interrupted.

    `seen_at`: its latest batch. `removed`: how many, by kind.
    """

    by: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    removed: dict[str, int]


@dataclass(frozen=True, slots=True)
class StatsView:
    """The site at this moment. `table_bytes`: of the tables that grow, with their indexes.

    `deliveries_due`: webhooks that wait or are under way, counted to 100,000. `retention`: null before the first round.
    """

    version: str
    jobs: JobsView
    zones: list[ZoneView]
    deliveries_due: int
    schedules: SchedulesView
    retention: RetentionView | None
    database_bytes: int
    table_bytes: dict[str, int]


@get("/system/stats", summary="How the site is doing", scope="read", responses=failures(400, 403, 500, 503))
async def system_stats(request: AnyRequest, services: Needed) -> Envelope[StatsView]:
    """Counted by PostgreSQL without reading the history. Not for keys that are limited to some devices."""
    if request.user.hosts is not None:
        raise Forbidden(f"the key {request.user.name!r} is limited to some devices, and this is about all of them")
    found = await site_stats(services.database)
    return Envelope(_views().validate_python({"version": __version__, **found}))


@cache
def _views() -> TypeAdapter[StatsView]:
    return TypeAdapter(StatsView)  # takes a while to build
