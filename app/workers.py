"""`/worker`: who holds the devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from litestar import get
from litestar.params import QueryParameter
from sqlalchemy import Row

from app.envelope import Envelope
from app.failures import failures
from app.filters import Host, host_name
from app.services import Needed
from jobs.history import find_workers


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


@get("/worker", summary="List workers", responses=failures(400, 403, 500, 503))
async def list_workers(
    services: Needed,
    queue: Annotated[str | None, QueryParameter(name="queue", description="One of a worker's `queues`.")] = None,
    node: Annotated[str | None, QueryParameter(name="node", description="Machine.")] = None,
    host: Host = None,
) -> Envelope[list[WorkerView]]:
    """The workers that are not dead, oldest first; with `host`, the one that holds that device."""
    device = None if host is None else host_name(host)
    rows = await find_workers(services.database, node=node, host=device)
    views = [_view(row) for row in rows]
    return Envelope([view for view in views if queue is None or queue in view.queues])


def _view(row: Row[Any]) -> WorkerView:
    return WorkerView(
        name=row.name,
        status="draining" if row.state == "draining" else "busy" if row.busy else "idle",
        pid=row.pid,
        hostname=row.node,
        zone=row.zone,
        queues=[f"w:{row.id}", f"fifo:{row.zone}"],
        last_heartbeat=row.heartbeat_at,
        birth_at=row.born_at,
        successful_job_count=row.successful_jobs,
        failed_job_count=row.failed_jobs,
        held_sessions=row.held_sessions,
        capacity=row.capacity,
    )
