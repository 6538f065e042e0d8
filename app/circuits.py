"""`/circuit`: logins that were refused, and those that rest for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from litestar import Request, delete, get
from litestar.params import QueryParameter
from sqlalchemy import Row

from app.envelope import Envelope
from app.failures import failures
from app.filters import Host, host_name, needed_host
from app.services import Needed
from app.trail import note
from jobs.addresses import host_and_port
from jobs.circuits import clear_circuits, find_circuits

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class CircuitView:
    """A login that its device refused `failures` times in a row. `resting`: until `opened_until` it is not tried."""

    host: str
    port: int
    username: str | None
    failures: int
    resting: bool
    opened_until: datetime | None
    last_failure_at: datetime


@dataclass(frozen=True, slots=True)
class ClearedView:
    """How many were forgotten."""

    cleared_count: int


@get("/circuit", summary="List refused logins", scope="read", responses=failures(400, 403, 500, 503))
async def list_circuits(
    request: AnyRequest,
    services: Needed,
    host: Host = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=10_000)] = 1000,
) -> Envelope[list[CircuitView]]:
    """Logins that were refused since they last succeeded, the last refusal first."""
    device = None if host is None else host_name(host)
    found = await find_circuits(services.database, device, limit, request.user.hosts)
    return Envelope([_view(row) for row in found])


@delete(
    "/circuit",
    status_code=200,
    summary="Let refused logins try again",
    scope="admin",
    responses=failures(400, 403, 500, 503),
)
async def delete_circuits(
    request: AnyRequest,
    services: Needed,
    host: Host = None,
) -> Envelope[ClearedView]:
    """Forget the refusals of all logins on the device."""
    device = needed_host(host)
    note(request.scope, host=device)
    request.user.require_host(device)
    return Envelope(ClearedView(await clear_circuits(services.database, device)))


def _view(row: Row[Any]) -> CircuitView:
    host, port = host_and_port(row.device_key)
    return CircuitView(host, port, row.username, row.failures, row.resting, row.opened_until, row.last_failure_at)
