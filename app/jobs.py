"""`/job`: reading jobs, waiting for them, calling them off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get
from litestar.datastructures import ResponseHeader
from litestar.params import FromPath, QueryParameter

from app.envelope import Envelope, Problem, invalid
from app.failures import failures
from app.filters import Host, Queue, Since, Until, host_and_queue, moment, page_cursor
from app.searches import Contained, Words, search_of
from app.services import Needed, Services
from app.trail import note
from app.views import JobView, Status, view
from app.waiting import Wait, await_job, find_job
from jobs.history import JobFilter, cancel_jobs, find_jobs
from jobs.principal import QUERIES
from jobs.searches import SearchTooLong

AnyRequest = Request[Any, Any, Any]

NEXT_CURSOR = "X-Next-Cursor"


@dataclass(frozen=True, slots=True)
class CancelledView:
    """`aborting`: running jobs whose workers were told to abort them; they end as cancelled a moment later."""

    cancelled_count: int
    cancelled_jobs: list[UUID]
    aborting: list[UUID]


@get(
    "/job",
    summary="List jobs, newest first, or wait for one",
    scope="read",
    response_headers=[
        ResponseHeader(
            NEXT_CURSOR, documentation_only=True, description="`cursor` of the next page, if there may be one."
        )
    ],
    responses=failures(400, 403, 404, 500, 503),
)
async def list_jobs(
    request: AnyRequest,
    services: Needed,
    id_: Annotated[UUID | None, QueryParameter(name="id", description="One job; the answer is a list of one.")] = None,
    queue: Queue = None,
    status: Annotated[Status | None, QueryParameter(name="status")] = None,
    node: Annotated[str | None, QueryParameter(name="node", description="Machine whose worker ran it.")] = None,
    host: Host = None,
    driver: Annotated[str | None, QueryParameter(name="driver")] = None,
    batch: Annotated[UUID | None, QueryParameter(name="batch")] = None,
    schedule: Annotated[UUID | None, QueryParameter(name="schedule")] = None,
    output: Words = None,
    parsed: Contained = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, QueryParameter(name="cursor", description="The last page's X-Next-Cursor.")] = None,
    wait: Wait = 0,
) -> Response[Envelope[list[JobView]]]:
    """Every given filter must match. An unknown `id` is a 404; any other selection may be empty."""
    if wait and id_ is None:
        raise invalid(["query", "wait"], "needs id")
    chosen = JobFilter(
        id=id_,
        **host_and_queue(host, queue),
        status=status,
        node=node,
        driver=driver,
        batch=batch,
        schedule=schedule,
        since=moment("since", since),
        until=moment("until", until),
        before=page_cursor(cursor),
        search=search_of(output, parsed),
        hosts=request.user.hosts,
    )
    if wait and id_ is not None:
        await await_job(services, request, id_, wait)
    try:
        records = await find_jobs(services.database, chosen, limit)
    except SearchTooLong:
        raise Problem(400, "The search takes too long: ask for rarer words, or for a device or a time too.") from None
    if id_ is not None and not records:
        raise Problem(404, f"There is no such job {id_}.")
    headers = {NEXT_CURSOR: records[-1].job.id.hex} if id_ is None and len(records) == limit else {}
    return Response(Envelope([view(record) for record in records]), headers=headers)


@get("/job/{job_id:uuid}", summary="Get or await one job", scope="read", responses=failures(400, 403, 404, 500, 503))
async def get_job(request: AnyRequest, services: Needed, job_id: FromPath[UUID], wait: Wait = 0) -> Envelope[JobView]:
    """The one job, not a list."""
    record = await await_job(services, request, job_id, wait)
    if record is None:
        raise Problem(404, f"There is no job {job_id}.")
    return Envelope(view(record))


@delete(
    "/job",
    status_code=200,
    summary="Cancel jobs",
    scope=("query", "config"),
    responses=failures(400, 403, 404, 500, 503),
)
async def delete_jobs(
    request: AnyRequest,
    services: Needed,
    id_: Annotated[UUID | None, QueryParameter(name="id")] = None,
    queue: Queue = None,
    host: Host = None,
    batch: Annotated[UUID | None, QueryParameter(name="batch")] = None,
    force: Annotated[bool, QueryParameter(name="force", description="Abort running jobs too.")] = False,
) -> Envelope[CancelledView]:
    """Cancel the waiting jobs that match every given filter. At least one filter is needed.

    A key without the scope config cancels only what changes nothing on its device.
    """
    chosen = JobFilter(id=id_, batch=batch, **host_and_queue(host, queue))
    if chosen == JobFilter():
        raise invalid(["query"], "one of id, queue, host and batch is needed", "missing")
    note(request.scope, host=chosen.host, job_id=id_, batch_id=batch)
    if id_ is not None:
        await _require_mine(services, request, id_)
    mine = replace(chosen, hosts=request.user.hosts, operations=None if request.user.may("config") else QUERIES)
    cancelled, aborting = await cancel_jobs(services.database, mine, force=force)
    return Envelope(CancelledView(len(cancelled), cancelled, aborting))


async def _require_mine(services: Services, request: AnyRequest, job_id: UUID) -> None:
    """Raises Problem 404 for a job that the client may not see, Forbidden for one that it may not cancel."""
    record = await find_job(services, job_id, request.user.hosts)
    if record is None:
        raise Problem(404, f"There is no job {job_id}.")
    if record.job.operation not in QUERIES:
        request.user.require("config")
