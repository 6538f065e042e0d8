"""`/detached-task`: commands that run on their hosts whatever becomes of the session."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, Response, delete, get, post
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Row

from app.bodies import json_body
from app.devices import IdempotencyKey
from app.envelope import Envelope, Problem
from app.failures import failures
from app.filters import Host, host_name, page_cursor
from app.jobs import NEXT_CURSOR
from app.services import Needed, Services
from app.submissions import settle_task, submission
from app.trail import note
from app.waiting import MOST_WAIT_S, Wait, await_job
from jobs.history import JobFilter, JobRecord, cancel_jobs
from jobs.task_rows import TaskFilter, act_on_task, find_task, find_tasks, give_up_task, submit_task
from jobs.task_views import TaskStatus, TaskView, task_fields, task_view

AnyRequest = Request[Any, Any, Any]

LOOK_S = 30.0
"""How long the answer of a host is awaited, besides what the client wants to wait."""

RETRY_AFTER_S = 5
MOST_LOG_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class StartedView(TaskView):
    """A task that a client started. `warnings`: sentences about arguments that have no effect."""

    warnings: list[str]


@dataclass(frozen=True, slots=True)
class LogView:
    """A piece of a task's log. `next_offset`: where the next one begins, in bytes; `log_size`: bytes so far."""

    state: TaskStatus
    exit_status: int | None
    offset: int
    next_offset: int
    log_size: int
    text: str


RAW = ResponseSpec(
    Envelope[LogView],
    description="A piece of the log; with `format=raw` its bytes, as `application/octet-stream`.",
    generate_examples=False,
)
REPLAYED = ResponseSpec(
    Envelope[StartedView], description="The Idempotency-Key was used before; this is its task.", generate_examples=False
)


@post(
    "/detached-task",
    summary="Start a command that outlives its session",
    scope="config",
    response_description="The task is started, or about to be.",
    responses={200: REPLAYED, **failures(400, 403, 409, 413, 415, 500, 503)},
)
async def start_task(
    request: AnyRequest, services: Needed, wait: Wait = LOOK_S, idempotency_key: IdempotencyKey = None
) -> Response[Envelope[StartedView]]:
    """The body of `/device/execute`, with one `command`. Answers when the command runs, or after `wait` seconds."""
    wanted = services.models.parse_task(await json_body(request))
    accepted = await submit_task(services.intake, wanted, submission(request, idempotency_key))
    settle_task(request, wanted.target.host, accepted)
    await await_job(services, request, accepted.job_id, wait)
    seen = task_fields(await _found(services, request, accepted.id))
    started = StartedView(**seen, warnings=wanted.warnings)
    return Response(Envelope(started), status_code=201 if accepted.created else 200)


@get(
    "/detached-task",
    summary="List detached tasks, newest first",
    scope="read",
    response_headers=[
        ResponseHeader(
            NEXT_CURSOR, documentation_only=True, description="`cursor` of the next page, if there may be one."
        )
    ],
    responses=failures(400, 403, 500, 503),
)
async def list_tasks(
    request: AnyRequest,
    services: Needed,
    host: Host = None,
    state_: Annotated[TaskStatus | None, QueryParameter(name="state")] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, QueryParameter(name="cursor", description="The last page's X-Next-Cursor.")] = None,
) -> Response[Envelope[list[TaskView]]]:
    """As last seen: the hosts are not asked."""
    device = host_name(host) if host is not None else None
    where = TaskFilter(device, state_, page_cursor(cursor), request.user.hosts)
    rows = await find_tasks(services.database, where, limit)
    headers = {NEXT_CURSOR: rows[-1].id.hex} if len(rows) == limit else {}
    return Response(Envelope([task_view(row) for row in rows]), headers=headers)


@get(
    "/detached-task/{task_id:uuid}",
    summary="Get one detached task",
    scope="read",
    responses=failures(400, 403, 404, 500, 503),
)
async def get_task(
    request: AnyRequest,
    services: Needed,
    task_id: FromPath[UUID],
    refresh: Annotated[bool, QueryParameter(name="refresh", description="Look at it on its host first.")] = False,
) -> Envelope[TaskView]:
    """As last seen, or with `refresh` as it is now; `error` says why if its host could not be asked."""
    row = await _found(services, request, task_id)
    if refresh:
        await _act(services, request, task_id, {"action": "look"})
        row = await _found(services, request, task_id)
    return Envelope(task_view(row))


@get(
    "/detached-task/{task_id:uuid}/log",
    summary="Read a detached task's log",
    scope="read",
    responses={200: RAW, **failures(400, 403, 404, 409, 500, 503)},
)
async def get_log(
    request: AnyRequest,
    services: Needed,
    task_id: FromPath[UUID],
    offset: Annotated[int, QueryParameter(name="offset", ge=0, le=2**53, description="First byte.")] = 0,
    size: Annotated[int, QueryParameter(name="size", ge=1, le=MOST_LOG_BYTES, description="Most bytes.")] = 65_536,
    wait: Annotated[
        float,
        QueryParameter(
            name="wait",
            ge=0,
            le=MOST_WAIT_S - LOOK_S,
            description="Answer as soon as there is more, or it has ended, or after so many seconds.",
        ),
    ] = 0,
    format_: Annotated[Literal["json", "raw"], QueryParameter(name="format")] = "json",
) -> Response[Any]:
    """Both streams of the command, from byte `offset` on, as its host has them now. 503: it could not be asked."""
    await _found(services, request, task_id)
    wish = {"action": "look", "offset": offset, "size": size, "wait_s": wait}
    record = await _act(services, request, task_id, wish, wait)
    if record is None:
        raise Problem(409, "It has not started yet, or nothing of it is left on its host.")
    return _log(record, offset, raw=format_ == "raw")


@delete(
    "/detached-task/{task_id:uuid}",
    status_code=200,
    summary="Stop a detached task, or remove an ended one from its host",
    scope="config",
    responses=failures(400, 403, 404, 409, 500, 503),
)
async def delete_task(
    request: AnyRequest,
    services: Needed,
    task_id: FromPath[UUID],
    force: Annotated[
        bool, QueryParameter(name="force", description="Give it up, even if its host cannot be asked.")
    ] = False,
) -> Envelope[TaskView]:
    """A running one is stopped, with all that it started. Of an ended one the log is removed, and the login here.

    With `force` both, and the task is given up (`lost`, if it was not seen to end) should its host not answer.
    """
    row = await _found(services, request, task_id)
    note(request.scope, host=row.host, subject=str(task_id), job_id=row.job_id)
    if row.state == "starting" and row.error is None:
        return Envelope(task_view(await _called_off(services, request, row)))
    if row.ended_at is None:
        _require(await _act(services, request, task_id, {"action": "stop"}), force=force)
    if force or row.ended_at is not None:
        _require(await _act(services, request, task_id, {"action": "forget"}), force=force)
    if force:
        await give_up_task(services.database, task_id)
    return Envelope(task_view(await _found(services, request, task_id)))


async def _called_off(services: Services, request: AnyRequest, row: Row[Any]) -> Row[Any]:
    """The task, of which the start waited. Raises Problem 409 if that is under way."""
    await cancel_jobs(services.database, JobFilter(id=row.job_id), force=False)
    row = await _found(services, request, row.id)
    if row.ended_at is None:
        raise Problem(409, "It is being started; ask again in a moment.")
    return row


async def _act(
    services: Services, request: AnyRequest, task_id: UUID, wish: dict[str, Any], wait_s: float = 0
) -> JobRecord | None:
    """The job that does it, ended or as it is after a while; None: nothing can be done about this task any more."""
    job_id = await act_on_task(services.database, task_id, wish, request.user.name)
    return None if job_id is None else await await_job(services, request, job_id, LOOK_S + wait_s)


def _require(record: JobRecord | None, *, force: bool) -> None:
    """Raises Problem 503 for a job that did not do it, unless `force`."""
    if record is None or record.job.state == "finished" or force:
        return
    reason = record.job.error_message or "it has not answered yet"
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    raise Problem(503, f"The host could not be asked: {reason} (job {record.job.id})", headers=headers)


def _log(record: JobRecord, offset: int, *, raw: bool) -> Response[Any]:
    _require(record, force=False)
    [said] = record.outputs
    facts = said.parsed
    if raw:
        content = base64.b64decode(facts["log_base64"]) if "log_base64" in facts else said.stdout.encode()
        headers = {"X-Next-Offset": str(facts["next_offset"]), "X-Content-Type-Options": "nosniff"}
        return Response(content, media_type="application/octet-stream", headers=headers)
    view = LogView(facts["state"], facts["exit_status"], offset, facts["next_offset"], facts["log_size"], said.stdout)
    return Response(Envelope(view))


async def _found(services: Services, request: AnyRequest, task_id: UUID) -> Row[Any]:
    row = await find_task(services.database, task_id, request.user.hosts)
    if row is None:
        raise Problem(404, f"There is no detached task {task_id}.")
    return row
