"""Looking at a job until it has ended, for clients that wait."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

from litestar import Request
from litestar.params import QueryParameter

from app.services import Services
from app.waiters import end_of
from jobs.history import JobFilter, JobRecord, find_jobs
from jobs.host_patterns import HostPatterns

AnyRequest = Request[Any, Any, Any]

MOST_WAIT_S = 60
LOOK_AGAIN_S = 5.0
"""A waiting client's job is looked at this often even if no notice comes."""

Wait = Annotated[
    float,
    QueryParameter(
        name="wait", ge=0, le=MOST_WAIT_S, description="Answer as soon as the job ends, or after so many seconds."
    ),
]


async def find_job(
    services: Services, job_id: UUID, hosts: HostPatterns | None, outputs_from: int = 0
) -> JobRecord | None:
    """One job, with its outputs from that position on; None if there is none with that id on these `hosts`."""
    found = await find_jobs(services.database, JobFilter(id=job_id, hosts=hosts), 1, outputs_from)
    return found[0] if found else None


async def await_job(services: Services, request: AnyRequest, job_id: UUID, wait_s: float) -> JobRecord | None:
    """The job once it has ended, or as it is after `wait_s` seconds; None if there is none that the client may see.

    Gives up as soon as the client goes away.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    gone = asyncio.create_task(_disconnected(request))
    try:
        with services.waiters.watch(end_of(job_id)) as changed:
            while True:
                changed.clear()  # before looking: a notice that comes meanwhile must not be lost
                record = await find_job(services, job_id, request.user.hosts)
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
