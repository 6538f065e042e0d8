"""`/job`: reading jobs, waiting for them, calling them off."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, Response, delete, get
from litestar.params import Parameter

from app.envelope import Envelope, Problem
from app.failures import failures
from app.services import Services
from jobs.history import JobFilter, JobRecord, cancel_jobs, find_jobs

AnyRequest = Request[Any, Any, Any]

MOST_WAIT_S = 60
LOOK_AGAIN_S = 5.0
"""A waiting client's job is looked at this often even if no notice comes."""

Wait = Annotated[
    float,
    Parameter(
        query="wait", ge=0, le=MOST_WAIT_S, description="Answer as soon as the job ends, or after so many seconds."
    ),
]


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed. `outcome` unknown: a change may have reached the device, so a person must look."""

    type: str
    message: str
    outcome: str | None


@dataclass(frozen=True, slots=True)
class OutputMetadata:
    """Where and how an entry came about. `verdict`: done, refused, or skipped (not sent, after a refused line)."""

    host: str
    duration_seconds: float
    session_reused: bool | None
    verdict: str
    started_at: datetime | None


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
class ResultView:
    """`type`: 1 successful, 2 failed, 3 stopped; null while the job runs."""

    type: Literal[1, 2, 3] | None
    retval: list[OutputView]
    error: JobError | None


@dataclass(frozen=True, slots=True)
class JobView:
    """A job. Times are UTC, durations are seconds."""

    id: UUID
    status: Literal["queued", "started", "finished", "failed", "cancelled"]
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
    result: ResultView | None


@dataclass(frozen=True, slots=True)
class CancelledView:
    """`aborting`: running jobs whose workers were told to abort them; they end as cancelled a moment later."""

    cancelled_count: int
    cancelled_jobs: list[UUID]
    aborting: list[UUID]


def queue_name(strategy: str, host: str) -> str:
    """What clients see as a job's queue."""
    return f"pinned_{host}" if strategy == "pinned" else "fifo"


def view(record: JobRecord) -> JobView:
    """A job as clients see it."""
    row = record.job
    return JobView(
        id=row.id,
        status="started" if row.state == "claimed" else row.state,
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
        result=_result(record),
    )


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return round((end - begin).total_seconds(), 6) if begin and end else None


_RESULT_TYPES: dict[str, Literal[1, 2, 3]] = {"finished": 1, "failed": 2, "cancelled": 3}


def _result(record: JobRecord) -> ResultView | None:
    row = record.job
    if not record.ended and not record.outputs:
        return None
    error = JobError(row.error_type, row.error_message, row.outcome) if row.error_type else None
    outputs = [
        OutputView(
            output.command,
            output.stdout,
            output.stderr,
            output.exit_status,
            output.parsed,
            OutputMetadata(row.host, output.duration_s, row.session_reused, output.verdict, output.started_at),
        )
        for output in record.outputs
    ]
    return ResultView(_RESULT_TYPES.get(row.state), outputs, error)


async def find_job(services: Services, job_id: UUID) -> JobRecord | None:
    """One job; None if there is none with that id."""
    found = await find_jobs(services.database, JobFilter(id=job_id), 1)
    return found[0] if found else None


async def await_job(services: Services, request: AnyRequest, job_id: UUID, wait_s: float) -> JobRecord | None:
    """The job once it has ended, or as it is after `wait_s` seconds; None if there is none with that id.

    Gives up as soon as the client goes away.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    gone = asyncio.create_task(_disconnected(request))
    try:
        with services.waiters.watch(job_id) as changed:
            while True:
                changed.clear()  # before looking: a notice that comes meanwhile must not be lost
                record = await find_job(services, job_id)
                left = deadline - loop.time()
                if record is None or record.ended or left <= 0 or services.waiters.closing or gone.done():
                    return record
                await _first(changed, gone, min(left, LOOK_AGAIN_S))
    finally:
        gone.cancel()


async def _disconnected(request: AnyRequest) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _first(changed: asyncio.Event, gone: asyncio.Task[None], timeout_s: float) -> None:
    waiting = asyncio.create_task(changed.wait())
    try:
        await asyncio.wait({waiting, gone}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _queue_filter(queue: str | None) -> dict[str, str]:
    """`pinned_<host>` or `fifo`, as in a job's `queue`."""
    if queue is None:
        return {}
    if queue == "fifo":
        return {"strategy": "fifo"}
    if queue.startswith("pinned_") and len(queue) > len("pinned_"):
        return {"strategy": "pinned", "host": queue.removeprefix("pinned_")}
    raise Problem(
        400, "query.queue: must be fifo or pinned_<host>.", [_fault("queue", "must be fifo or pinned_<host>")]
    )


def _fault(name: str, message: str) -> dict[str, Any]:
    return {"loc": ["query", name], "msg": message, "type": "value_error"}


def _cursor(text: str | None) -> UUID | None:
    if text is None:
        return None
    try:
        return UUID(hex=text)
    except ValueError:
        raise Problem(400, "query.cursor: take it from X-Next-Cursor.", [_fault("cursor", "not a cursor")]) from None


def _combined(host: str | None, queue: str | None) -> dict[str, Any]:
    """The filters `host` and `queue` together; a contradiction selects nothing, as it should."""
    chosen = _queue_filter(queue)
    if host is not None and chosen.get("host", host) != host:
        raise Problem(400, "query.queue: names another host than query.host.", [_fault("queue", "contradicts host")])
    return chosen | ({"host": host} if host is not None else {})


@get("/job", summary="List jobs, newest first, or wait for one", responses=failures(400, 403, 404, 500, 503))
async def list_jobs(
    request: AnyRequest,
    services: Services,
    id_: Annotated[UUID | None, Parameter(query="id", description="One job; the answer is a list of one.")] = None,
    queue: Annotated[str | None, Parameter(query="queue", description="`pinned_<host>` or `fifo`.")] = None,
    status: Annotated[
        Literal["queued", "started", "finished", "failed", "cancelled"] | None, Parameter(query="status")
    ] = None,
    node: Annotated[str | None, Parameter(query="node", description="Machine whose worker ran it.")] = None,
    host: Annotated[str | None, Parameter(query="host", description="The device.")] = None,
    driver: Annotated[str | None, Parameter(query="driver")] = None,
    batch: Annotated[UUID | None, Parameter(query="batch")] = None,
    schedule: Annotated[UUID | None, Parameter(query="schedule")] = None,
    since: Annotated[datetime | None, Parameter(query="since", description="Accepted at or after.")] = None,
    until: Annotated[datetime | None, Parameter(query="until", description="Accepted before.")] = None,
    limit: Annotated[int, Parameter(query="limit", ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Parameter(query="cursor", description="X-Next-Cursor of the page before.")] = None,
    wait: Wait = 0,
) -> Response[Envelope[list[JobView]]]:
    """Filters combine. The next page's cursor comes in the header X-Next-Cursor, if there may be one."""
    if id_ is not None:
        record = await await_job(services, request, id_, wait)
        if record is None:
            raise Problem(404, f"There is no job {id_}.")
        return Response(Envelope([view(record)]))
    if wait:
        raise Problem(400, "query.wait: needs id.", [_fault("wait", "needs id")])
    chosen = JobFilter(
        **_combined(host, queue),
        status=status,
        node=node,
        driver=driver,
        batch=batch,
        schedule=schedule,
        since=since,
        until=until,
        before=_cursor(cursor),
    )
    records = await find_jobs(services.database, chosen, limit)
    headers = {"X-Next-Cursor": records[-1].job.id.hex} if len(records) == limit else {}
    return Response(Envelope([view(record) for record in records]), headers=headers)


@get("/job/{job_id:uuid}", summary="Get or await one job", responses=failures(400, 403, 404, 500, 503))
async def get_job(request: AnyRequest, services: Services, job_id: UUID, wait: Wait = 0) -> Envelope[JobView]:
    """The one job, not a list."""
    record = await await_job(services, request, job_id, wait)
    if record is None:
        raise Problem(404, f"There is no job {job_id}.")
    return Envelope(view(record))


@delete("/job", status_code=200, summary="Cancel jobs", responses=failures(400, 403, 404, 500, 503))
async def delete_jobs(
    services: Services,
    id_: Annotated[UUID | None, Parameter(query="id")] = None,
    queue: Annotated[str | None, Parameter(query="queue", description="`pinned_<host>` or `fifo`.")] = None,
    host: Annotated[str | None, Parameter(query="host")] = None,
    batch: Annotated[UUID | None, Parameter(query="batch")] = None,
    force: Annotated[bool, Parameter(query="force", description="Abort running jobs too.")] = False,
) -> Envelope[CancelledView]:
    """Cancel the waiting jobs that match every given filter. At least one filter is needed."""
    chosen = JobFilter(id=id_, batch=batch, **_combined(host, queue))
    if chosen == JobFilter():
        raise Problem(400, "One of id, queue, host and batch is needed.", [_fault("id", "a filter is needed")])
    if id_ is not None and await find_job(services, id_) is None:
        raise Problem(404, f"There is no job {id_}.")
    cancelled, aborting = await cancel_jobs(services.database, chosen, force=force)
    return Envelope(CancelledView(len(cancelled), cancelled, aborting))
