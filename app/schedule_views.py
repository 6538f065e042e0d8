"""Schedules as clients see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from jobs.schedule_entry import Missed, Overlap
from jobs.schedules import next_runs


@dataclass(frozen=True, slots=True)
class ScheduleSummary:
    """A schedule. `next_at`: null while it is not enabled. `blocked`: why it does not fire. `devices`: how many.

    `last_at`, `last_job`, `last_batch`: of the last firing. `submitted_by`: whose its jobs are.
    """

    id: UUID
    name: str
    cron: str
    timezone: str
    enabled: bool
    overlap: Overlap
    missed: Missed
    next_at: datetime | None
    last_at: datetime | None
    last_job: UUID | None
    last_batch: UUID | None
    blocked: str | None
    devices: int
    submitted_by: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class FiringView:
    """What became of a tick. `tick`: when it was due, null for a run that somebody asked for.

    `skipped`: why nothing was queued. `queued`, `refused`: jobs; `complete`: false while more are to be queued.
    """

    tick: datetime | None
    at: datetime
    skipped: str | None
    job_id: UUID | None
    batch_id: UUID | None
    queued: int
    refused: int
    complete: bool


@dataclass(frozen=True, slots=True)
class ScheduleView(ScheduleSummary):
    """A schedule with its request, when it is due next, and what became of its latest hundred ticks, newest first."""

    request: dict[str, Any]
    next_runs: list[datetime]
    firings: list[FiringView]


@dataclass(frozen=True, slots=True)
class RunView:
    """What was queued: of an execute body a job, of a bulk body a batch."""

    job_id: UUID | None
    batch_id: UUID | None


@dataclass(frozen=True, slots=True)
class RemovedScheduleView:
    """The schedule that is gone."""

    id: UUID
    name: str


def summary(row: Row[Any]) -> ScheduleSummary:
    """A row of `Schedules`, in a list."""
    return ScheduleSummary(**_fields(row))


def view(row: Row[Any], firings: Sequence[Row[Any]]) -> ScheduleView:
    """A row of `Schedules` that has its body, alone."""
    told = [_firing(firing) for firing in firings]
    return ScheduleView(**_fields(row), request=row.body, next_runs=next_runs(row), firings=told)


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ScheduleSummary.__slots__}


def _firing(row: Row[Any]) -> FiringView:
    counts = (row.queued, row.refused, row.rest_from is None)
    return FiringView(row.tick, row.at, row.skipped, row.job_id, row.batch_id, *counts)
