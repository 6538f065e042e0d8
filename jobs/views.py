"""Jobs as clients see them, over HTTP and in webhooks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast
from uuid import UUID

from sqlalchemy import Row

from jobs.history import JobRecord

Status: TypeAlias = Literal["queued", "started", "finished", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed. `outcome` unknown: a change may have reached the device, so a person must look."""

    type: str
    message: str
    outcome: str | None


@dataclass(frozen=True, slots=True)
class OutputMetadata:
    """Where and how an entry came about. `verdict`: done, refused, or skipped (not sent, after a refused line).

    `phase`: main; before and after, for a change's checks; undo, for what was done to undo it.
    `parsing_error`: why `parsed` is null although parsing was asked for. `size_bytes`: of `stdout` in UTF-8, also
    where it was not kept (`options.record`).
    """

    host: str
    duration_seconds: float
    session_reused: bool | None
    verdict: str
    started_at: datetime | None
    phase: str
    parsing_error: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class OutputView:
    """What the device said to one command or configuration line."""

    command: str
    stdout: str
    stderr: str
    exit_status: int | None
    parsed: Any
    metadata: OutputMetadata


@dataclass(frozen=True, slots=True)
class ChangeView:
    """What became of a change.

    `difference`: as the device tells; of a dry run, what it would have been. `rollback`: whether a change that failed
    was undone: done, failed, or impossible. `confirm_by`: the device undoes it then, unless it is confirmed before.
    """

    difference: str | None
    rollback: str | None
    confirm_by: datetime | None
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileView:
    """A file that a job brings to its device (`direction` upload), or from there. `sha256`: null until it is whole.

    `url`: where it can be fetched.
    """

    id: UUID
    name: str
    size_bytes: int
    sha256: str | None
    direction: Literal["upload", "download"]
    url: str | None


@dataclass(frozen=True, slots=True)
class ResultView:
    """`type`: 1 successful, 2 failed, 3 stopped; null while the job runs."""

    type: Literal[1, 2, 3] | None
    retval: list[OutputView]
    error: JobError | None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job. Times are UTC, durations are seconds."""

    id: UUID
    status: Status
    queue: str
    driver: str
    device_name: str
    command: list[str] | None
    config: list[str] | None
    created_at: datetime
    enqueued_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    worker: str | None
    duration: float | None
    queue_time: float | None
    batch_id: UUID | None
    schedule_id: UUID | None
    attempts: int
    submitted_by: str
    operation: str
    change: ChangeView | None
    rendered: str | None
    files: list[FileView]
    result: ResultView | None


def queue_name(strategy: str, host: str) -> str:
    """What clients see as a job's queue."""
    return f"pinned_{host}" if strategy == "pinned" else "fifo"


def status_of(state: str) -> Status:
    """What clients see as a job's status: a claimed change has its worker already."""
    return cast(Status, "started" if state == "claimed" else state)


def view(record: JobRecord) -> JobView:
    """A job as clients see it."""
    row = record.job
    return JobView(
        id=row.id,
        status=status_of(row.state),
        queue=queue_name(row.strategy, row.host),
        driver=row.driver,
        device_name=row.host,
        command=row.request.get("command"),
        config=row.request.get("config"),
        created_at=row.created_at,
        enqueued_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        worker=row.worker,
        duration=_seconds(row.started_at, row.ended_at),
        queue_time=_seconds(row.created_at, row.started_at),
        batch_id=row.batch_id,
        schedule_id=row.schedule_id,
        attempts=row.attempts,
        submitted_by=row.submitted_by,
        operation=row.operation,
        change=_change(row) if row.operation == "config" else None,
        rendered=row.rendered,
        files=[file_view(file) for file in record.files],
        result=_result(record),
    )


def file_view(row: Row[Any]) -> FileView:
    """A job's file as clients see it."""
    kept = row.direction == "download" and row.state == "whole" and row.kept
    url = f"/storage/{row.id}" if kept else None
    return FileView(row.id, row.name, row.size_bytes, row.sha256, row.direction, url)


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return round((end - begin).total_seconds(), 6) if begin and end else None


def _change(row: Row[Any]) -> ChangeView:
    return ChangeView(row.difference, row.rollback, row.confirm_by, row.confirmed_at)


_RESULT_TYPES: dict[str, Literal[1, 2, 3]] = {"finished": 1, "failed": 2, "cancelled": 3}


def _result(record: JobRecord) -> ResultView | None:
    row = record.job
    if not record.ended and not record.outputs:
        return None
    error = JobError(row.error_type, row.error_message, row.outcome) if row.error_type else None
    outputs = [output_view(record, output) for output in record.outputs]
    return ResultView(_RESULT_TYPES.get(row.state), outputs, error)


def output_view(record: JobRecord, output: Row[Any]) -> OutputView:
    """One of a job's outputs as clients see it."""
    row = record.job
    return OutputView(
        output.command,
        output.stdout,
        output.stderr,
        output.exit_status,
        output.parsed,
        OutputMetadata(
            row.host,
            output.duration_s,
            row.session_reused,
            output.verdict,
            output.started_at,
            output.phase,
            output.parsing_error,
            output.size_bytes,
        ),
    )
