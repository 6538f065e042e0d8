"""Detached tasks as the API sees them: their rows, and the jobs that do something about them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.authorisation import authorise
from jobs.host_patterns import HostPatterns, only
from jobs.limits import require_room
from jobs.requests import Request
from jobs.submit import Intake, KeyReused, Submission, new_job
from jobs.tables import detached_task

_SHOWN = [column for column in detached_task.c if column.name not in ("sealed", "request", "told_offset")]
_SUBMIT = text("SELECT * FROM netpulse.submit_task(CAST(:job AS jsonb))")
_SUBMIT_RECORDED = text("""
    WITH answer AS MATERIALIZED (SELECT * FROM netpulse.submit_task(CAST(:job AS jsonb))),
         recorded AS MATERIALIZED (
             SELECT netpulse.record_audit_events(
                 jsonb_build_array(CAST(:event AS jsonb) || jsonb_build_object('job_id', a.job_id)))
               FROM answer AS a WHERE a.created)
    SELECT a.* FROM answer AS a LEFT JOIN recorded ON true""")
_ACT = text("SELECT netpulse.act_on_task(:task, CAST(:action AS jsonb), :principal)")


@dataclass(frozen=True)
class TaskFilter:
    """Which tasks. Every given field must match."""

    host: str | None = None
    state: str | None = None
    before: UUID | None = None
    """Older than this task: where the last page ended."""
    hosts: HostPatterns | None = None
    """On these devices."""


@dataclass(frozen=True, slots=True)
class AcceptedTask:
    """A task whose start is in the queue, or was before."""

    id: UUID
    job_id: UUID
    created: bool


async def submit_task(intake: Intake, request: Request, submission: Submission) -> AcceptedTask:
    """Queue the start of a task. Raises Forbidden, TooManyQueued, KeyReused, and what `submit` raises when PostgreSQL
    is away.
    """
    authorise(submission.principal, request, intake.host_keys)
    await require_room(intake.database, submission.principal, intake.queued_jobs, 1)
    statement, values = _SUBMIT, {"job": json.dumps(new_job(intake, request, submission))}
    if submission.event is not None:
        event = replace(submission.event, host=request.target.host)
        statement, values = _SUBMIT_RECORDED, {**values, "event": json.dumps(event.as_json())}
    async with intake.database.connect() as connection:
        row = (await connection.execute(statement, values)).one()
    if row.conflict or row.task_id is None:
        raise KeyReused
    return AcceptedTask(row.task_id, row.job_id, row.created)


async def act_on_task(database: AsyncEngine, task_id: UUID, action: dict[str, Any], principal: str) -> UUID | None:
    """Queue a job about the task (see act_on_task.sql); its id, None if nothing can be done about the task any more."""
    values = {"task": task_id, "action": json.dumps(action), "principal": principal}
    async with database.connect() as connection:
        job_id: UUID | None = (await connection.execute(_ACT, values)).scalar_one()
    return job_id


async def find_task(database: AsyncEngine, task_id: UUID, hosts: HostPatterns | None = None) -> Row[Any] | None:
    """One task; None if there is none with that id on these `hosts`."""
    wanted = select(*_SHOWN).where(detached_task.c.id == task_id, *only(detached_task.c.host, hosts))
    async with database.connect() as connection:
        return (await connection.execute(wanted)).one_or_none()


async def task_of(database: AsyncEngine, job_id: UUID) -> Row[Any] | None:
    """The task that a job started; None if there is none."""
    async with database.connect() as connection:
        return (await connection.execute(select(*_SHOWN).where(detached_task.c.job_id == job_id))).one_or_none()


async def find_tasks(database: AsyncEngine, where: TaskFilter, limit: int) -> Sequence[Row[Any]]:
    """The newest `limit` tasks that match, newest first."""
    wanted = select(*_SHOWN).order_by(detached_task.c.id.desc()).limit(limit)
    wanted = wanted.where(*only(detached_task.c.host, where.hosts))
    if where.host is not None:
        wanted = wanted.where(detached_task.c.host == where.host)
    if where.state is not None:
        wanted = wanted.where(detached_task.c.state == where.state)
    if where.before is not None:
        wanted = wanted.where(detached_task.c.id < where.before)
    async with database.connect() as connection:
        return (await connection.execute(wanted)).all()


async def give_up_task(database: AsyncEngine, task_id: UUID) -> None:
    """Nobody can look at it any more: its login is wiped, and one that has not ended counts as lost."""
    running = detached_task.c.ended_at.is_(None)
    async with database.connect() as connection:
        await connection.execute(
            update(detached_task)
            .where(detached_task.c.id == task_id, running)
            .values(state="lost", ended_at=func.clock_timestamp(), sealed=None)
        )
        await connection.execute(update(detached_task).where(detached_task.c.id == task_id).values(sealed=None))
