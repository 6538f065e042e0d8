"""Detached tasks as clients see them, over HTTP and in webhooks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from sqlalchemy import Row

TaskStatus: TypeAlias = Literal["starting", "running", "exited", "lost", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class TaskView:
    """A detached task, as last seen. Times are UTC.

    `job_id`: the job that starts it. `log_size`: bytes. `error`: why the last job about it failed. `last_seen_at`: when
    a worker last looked at it.
    """

    id: UUID
    job_id: UUID
    state: TaskStatus
    driver: str
    device_name: str
    command: str
    exit_status: int | None
    log_size: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    last_seen_at: datetime | None
    submitted_by: str
    error: str | None


def task_fields(row: Row[Any]) -> dict[str, Any]:
    """What a view of the task has, by name."""
    named = (field.name for field in fields(TaskView) if field.name != "device_name")
    return {**{name: getattr(row, name) for name in named}, "device_name": row.host}


def task_view(row: Row[Any]) -> TaskView:
    """A task as clients see it."""
    return TaskView(**task_fields(row))
