"""`GET /job/{id}/events`: a job as it happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.params import FromPath
from litestar.response.streaming import ASGIStreamingResponse

from app.envelope import Problem
from app.events import HEARTBEAT, HEARTBEAT_S, Events, EventStream, event, stream
from app.failures import failures
from app.services import Needed, Services
from app.views import OutputView, Status, output_view, status_of, view
from app.waiters import change_of, woken
from app.waiting import find_job
from jobs.away import is_database_away
from jobs.history import JobRecord
from jobs.host_patterns import HostPatterns

AnyRequest = Request[Any, Any, Any]

AWAY_S = 2.0
"""While PostgreSQL is away, it is asked again so often."""


@dataclass(frozen=True, slots=True)
class StateEvent:
    """`event: state`. A job whose worker died may go back from started to queued; its outputs so far are void then."""

    id: UUID
    status: Status
    attempts: int
    worker: str | None
    started_at: datetime | None


@dataclass(frozen=True, slots=True)
class OutputEvent:
    """`event: output`: a command or line has ended. `position`: from 0, in the order of the request."""

    position: int
    entry: OutputView


@get(
    "/job/{job_id:uuid}/events",
    summary="Watch one job",
    scope="read",
    responses={
        **stream("Events `state` (the present one at once), `output` for each finished command, `end` with the job."),
        **failures(400, 403, 404, 500, 503),
    },
)
async def job_events(request: AnyRequest, services: Needed, job_id: FromPath[UUID]) -> ASGIStreamingResponse:
    """Server-sent events until the job has ended. Who comes late misses nothing: what has happened is told first."""
    hosts = request.user.hosts
    if await find_job(services, job_id, hosts) is None:
        raise Problem(404, f"There is no job {job_id}.")
    return EventStream(_events(services, job_id, hosts))


async def _events(services: Services, job_id: UUID, hosts: HostPatterns | None) -> Events:
    told = _Told()
    with services.waiters.watch(change_of(job_id)) as changed:
        while not services.waiters.closing:
            changed.clear()  # before looking: a notice that comes meanwhile must not be lost
            pause_s = HEARTBEAT_S
            try:
                record = await _look(services, job_id, hosts, told)
            except Exception as error:  # only the predicate knows which ones mean that: then later
                if not is_database_away(error):
                    raise
                pause_s = AWAY_S
            else:
                if record is None:
                    return
                for news in told.news(record):
                    yield news
                if record.ended:
                    return
            await woken(changed, pause_s)
            if not changed.is_set():
                yield HEARTBEAT


async def _look(services: Services, job_id: UUID, hosts: HostPatterns | None, told: _Told) -> JobRecord | None:
    """The job; of its outputs those that are news, or all if it has ended or began again."""
    record = await find_job(services, job_id, hosts, told.outputs)
    if record is not None and told.outputs and (record.ended or record.job.attempts != told.attempts):
        return await find_job(services, job_id, hosts)
    return record


class _Told:
    """What the client knows."""

    def __init__(self) -> None:
        self.outputs = 0
        self.attempts = 0
        self._state: StateEvent | None = None

    def news(self, record: JobRecord) -> Iterator[bytes]:
        """The events that bring the client up to date."""
        row = record.job
        state = StateEvent(row.id, status_of(row.state), row.attempts, row.worker, row.started_at)
        if row.attempts != self.attempts:
            self.attempts, self.outputs = row.attempts, 0
        if state != self._state:
            self._state = state
            yield event("state", state)
        for output in record.outputs:
            if output.position >= self.outputs:
                yield event("output", OutputEvent(position=output.position, entry=output_view(record, output)))
                self.outputs = output.position + 1
        if record.ended:
            yield event("end", view(record))
