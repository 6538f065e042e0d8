"""`/batch`: how far a bulk has come."""

from __future__ import annotations

from uuid import UUID

from litestar import get
from litestar.params import FromPath
from litestar.response.streaming import ASGIStreamingResponse

from app.envelope import Envelope, Problem
from app.events import HEARTBEAT, HEARTBEAT_S, Events, EventStream, event, stream
from app.failures import failures
from app.services import Needed, Services
from app.waiters import woken
from jobs.progress import BatchProgress, find_progress

FAILURES = failures(400, 403, 404, 500, 503)


@get("/batch/{batch_id:uuid}", summary="Count a batch's jobs", responses=FAILURES)
async def get_batch(services: Needed, batch_id: FromPath[UUID]) -> Envelope[BatchProgress]:
    """The jobs by state, and the errors by type."""
    return Envelope(await _progress(services, batch_id))


@get(
    "/batch/{batch_id:uuid}/events",
    summary="Watch a batch",
    responses={
        **stream("Events `progress` with the counts, at once and then at most twice a second; `end` with the last."),
        **FAILURES,
    },
)
async def batch_events(services: Needed, batch_id: FromPath[UUID]) -> ASGIStreamingResponse:
    """Server-sent events until every job has ended."""
    return EventStream(_events(services, await _progress(services, batch_id)))


async def _progress(services: Services, batch_id: UUID) -> BatchProgress:
    progress = await find_progress(services.database, batch_id)
    if progress is None:
        raise Problem(404, f"There is no batch {batch_id}.")
    return progress


async def _events(services: Services, progress: BatchProgress) -> Events:
    yield event("progress", progress)
    with services.progress.watch(progress.batch_id) as changed:
        while not (progress.ended or services.waiters.closing):
            changed.clear()
            latest = services.progress.latest(progress.batch_id)
            if latest is not None and latest != progress:
                progress = latest
                yield event("progress", progress)
                continue
            await woken(changed, HEARTBEAT_S)
            if not changed.is_set():
                yield HEARTBEAT
    if progress.ended:
        yield event("end", progress)
