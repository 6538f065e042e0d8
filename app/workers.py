"""`/worker`: who holds the devices, and sending them home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import Request, delete, get
from litestar.params import QueryParameter
from sqlalchemy import Row

from app.envelope import Envelope, Problem, invalid
from app.failures import failures
from app.filters import Host, Node, WorkerQueue, host_name
from app.services import Needed, Services
from app.trail import note
from jobs.roster import ask_release, find_workers, queues_of, stop_workers

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker as of its last heartbeat. Times are UTC; counts are since its birth."""

    name: str
    status: Literal["busy", "idle", "draining", "dead"]
    pid: int
    hostname: str
    zone: str
    queues: list[str]
    last_heartbeat: datetime
    birth_at: datetime
    successful_job_count: int
    failed_job_count: int
    held_sessions: int
    capacity: int


@dataclass(frozen=True, slots=True)
class StoppingView:
    """Names of the workers that were told to stop."""

    stopping: list[str]


@dataclass(frozen=True, slots=True)
class ReleasedView:
    """Devices, as host and port, whose holders were told to close the session as soon as no job runs on it."""

    released: list[str]


@get("/worker", summary="List workers", scope="read", responses=failures(400, 403, 500, 503))
async def list_workers(
    request: AnyRequest, services: Needed, queue: WorkerQueue = None, node: Node = None, host: Host = None
) -> Envelope[list[WorkerView]]:
    """The workers that are not dead, oldest first; with `host`, the one that holds that device."""
    device = None if host is None else host_name(host)
    if device is not None and not request.user.reaches(device):
        return Envelope([])
    rows = await find_workers(services.database, node=node, queue=queue, host=device)
    return Envelope([_view(row) for row in rows])


@delete(
    "/worker",
    status_code=200,
    summary="Stop workers, or close a device's session",
    scope="admin",
    responses=failures(400, 403, 404, 500, 503),
)
async def delete_workers(
    request: AnyRequest,
    services: Needed,
    name: Annotated[str | None, QueryParameter(name="name", description="The worker's `name`.")] = None,
    node: Node = None,
    queue: WorkerQueue = None,
    host: Host = None,
    force: Annotated[
        bool, QueryParameter(name="force", description="Stop at once: running jobs end as WorkerLost.")
    ] = False,
) -> Envelope[StoppingView | ReleasedView]:
    """The workers that match every one of `name`, `node` and `queue` finish what runs, hand over and end.

    With `host` alone, no worker stops: the one that holds the device closes its session.
    """
    stops = any(value is not None for value in (name, node, queue))
    if host is not None:
        if stops or force:
            raise invalid(["query", "host"], "goes alone: it stops no worker, but closes the device's session")
        return Envelope(ReleasedView(await _release(services, request, host)))
    if not stops:
        raise invalid(["query"], "one of name, node, queue and host is needed", "missing")
    rows = await find_workers(services.database, name=name, node=node, queue=queue)
    stopping = set(await stop_workers(services.database, [row.id for row in rows], force=force))
    if not stopping:
        raise Problem(404, "There is no such worker, or it has ended.")
    return Envelope(StoppingView([row.name for row in rows if row.id in stopping]))


async def _release(services: Services, request: AnyRequest, host: str) -> list[str]:
    device = host_name(host)
    note(request.scope, host=device)
    released = await ask_release(services.database, device) if request.user.reaches(device) else []
    if not released:
        raise Problem(404, "No worker holds that device.")
    return released


def _view(row: Row[Any]) -> WorkerView:
    return WorkerView(
        name=row.name,
        status="draining" if row.state == "draining" else "busy" if row.busy else "idle",
        pid=row.pid,
        hostname=row.node,
        zone=row.zone,
        queues=queues_of(row),
        last_heartbeat=row.heartbeat_at,
        birth_at=row.born_at,
        successful_job_count=row.successful_jobs,
        failed_job_count=row.failed_jobs,
        held_sessions=row.held_sessions,
        capacity=row.capacity,
    )
