"""`/session`: the open logins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, get
from litestar.params import QueryParameter

from app.envelope import Envelope
from app.failures import failures
from app.filters import Host, Node, WorkerQueue, host_name
from app.services import Needed
from jobs.roster import find_sessions

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session, as its worker last reported it. `device_key`: host and port."""

    host: str
    device_key: str
    driver: str
    username: str | None
    worker: str
    opened_at: datetime


@get("/session", summary="List the held sessions", scope="read", responses=failures(400, 403, 500, 503))
async def list_sessions(
    request: AnyRequest,
    services: Needed,
    host: Host = None,
    node: Node = None,
    queue: WorkerQueue = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=10_000)] = 1000,
) -> Envelope[list[SessionView]]:
    """The sessions that live workers hold, ordered by device. Every given filter must match."""
    device = None if host is None else host_name(host)
    chosen = {"host": device, "node": node, "queue": queue}
    rows = await find_sessions(services.database, **chosen, limit=limit, hosts=request.user.hosts)
    return Envelope([SessionView(*(getattr(row, name) for name in SessionView.__slots__)) for row in rows])
