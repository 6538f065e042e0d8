"""`/batch`: how far a bulk has come."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.params import FromPath
from litestar.response.streaming import ASGIStreamingResponse

from app.envelope import Envelope, Problem
from app.events import HEARTBEAT, HEARTBEAT_S, Events, EventStream, event, stream
from app.failures import failures
from app.progress import Watched
from app.services import Needed, Services
from app.waiters import woken
from jobs.host_patterns import HostPatterns
from jobs.progress import BatchProgress, find_progress

AnyRequest = Request[Any, Any, Any]

FAILURES = failures(400, 403, 404, 500, 503)


@get("/batch/{batch_id:uuid}", summary="Count a batch's jobs", scope="read", responses=FAILURES)
async def get_batch(request: AnyRequest, services: Needed, batch_id: FromPath[UUID]) -> Envelope[BatchProgress]:
    """The jobs by state, and the errors by type. A key that is limited to hosts sees the jobs on those."""
    return Envelope(await _progress(services, batch_id, request.user.hosts))


@get(
    "/batch/{batch_id:uuid}/events",
    summary="Watch a batch",
    scope="read",
    responses={
        **stream("Events `progress` with the counts, at once and then at most twice a second; `end` with the last."),
        **FAILURES,
    },
)
async def batch_events(request: AnyRequest, services: Needed, batch_id: FromPath[UUID]) -> ASGIStreamingResponse:
    """Server-sent events until every job has ended."""
    hosts = request.user.hosts
    return EventStream(_events(services, await _progress(services, batch_id, hosts), hosts))


async def _progress(services: Services, batch_id: UUID, hosts: HostPatterns | None) -> BatchProgress:
    progress = await find_progress(services.database, batch_id, hosts)
    if progress is None:
        raise Problem(404, f"There is no batch {batch_id}.")
    return progress


async def _events(services: Services, progress: BatchProgress, hosts: HostPatterns | None) -> Events:
    yield event("progress", progress)
    watched = Watched(progress.batch_id, hosts)
    with services.progress.watch(watched) as changed:
        while not (progress.ended or services.waiters.closing):
            changed.clear()
            latest = services.progress.latest(watched)
            if latest is not None and latest != progress:
                progress = latest
                yield event("progress", progress)
                continue
            await woken(changed, HEARTBEAT_S)
            if not changed.is_set():
                yield HEARTBEAT
    if progress.ended:
        yield event("end", progress)
