"""`/audit`: who asked for what, from where, and whether it was allowed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter
from sqlalchemy import Row

from app.envelope import Envelope
from app.failures import failures
from app.filters import Host, host_name, moment
from app.jobs import NEXT_CURSOR
from app.services import Needed
from jobs.audit import AuditFilter, find_events

AnyRequest = Request[Any, Any, Any]

_MOMENT = {"format": "date-time"}

GREATEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AuditView:
    """A decision. `action`: method and route, such as `POST /device/execute`; or the command of the command line.

    `actor`: name of the API key; `cli`, the command line; null, no known key. `client`: address it came from; null, the
    command line. `request_id`: the answer's X-Request-ID. `host`: on which device; null, on none, or on those of
    the batch. `subject`: on what else, such as a credential's path or a key's name. `reason`: why it was not allowed.
    `job_id`, `batch_id`: what it led to. `detail`: what else there is to say.
    """

    id: int
    at: datetime
    actor: str | None
    client: str | None
    request_id: str | None
    action: str
    host: str | None
    subject: str | None
    allowed: bool
    reason: str | None
    job_id: UUID | None
    batch_id: UUID | None
    detail: dict[str, Any] | None


@get(
    "/audit",
    scope="admin",
    summary="List audit events, the last one first",
    response_headers=[
        ResponseHeader(
            NEXT_CURSOR, documentation_only=True, description="`cursor` of the next page, if there may be one."
        )
    ],
    responses=failures(400, 403, 500, 503),
)
async def list_audit_events(
    request: AnyRequest,
    services: Needed,
    actor: Annotated[str | None, QueryParameter(name="actor", description="Name of the API key, or cli.")] = None,
    host: Host = None,
    job: Annotated[UUID | None, QueryParameter(name="job")] = None,
    batch: Annotated[UUID | None, QueryParameter(name="batch")] = None,
    action: Annotated[
        str | None, QueryParameter(name="action", description="Method and route, such as POST /device/execute.")
    ] = None,
    allowed: Annotated[bool | None, QueryParameter(name="allowed", description="false: what was refused.")] = None,
    request_id: Annotated[
        str | None, QueryParameter(name="request_id", description="X-Request-ID of the answer.")
    ] = None,
    since: Annotated[
        str | None,
        QueryParameter(name="since", schema_extra=_MOMENT, description="Decided at or after; without an offset UTC."),
    ] = None,
    until: Annotated[
        str | None,
        QueryParameter(name="until", schema_extra=_MOMENT, description="Decided before; without an offset UTC."),
    ] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=1000)] = 100,
    cursor: Annotated[
        int | None,
        QueryParameter(name="cursor", ge=1, le=GREATEST_ID, description="The last page's X-Next-Cursor."),
    ] = None,
) -> Response[Envelope[list[AuditView]]]:
    """Every given filter must match. Refused requests appear within a second.

    A key for some devices sees what was decided about those.
    """
    chosen = AuditFilter(
        actor=actor,
        host=None if host is None else host_name(host),
        job_id=job,
        batch_id=batch,
        action=action,
        allowed=allowed,
        request_id=request_id,
        since=moment("since", since),
        until=moment("until", until),
        before=cursor,
        hosts=request.user.hosts,
    )
    rows = await find_events(services.database, chosen, limit)
    headers = {NEXT_CURSOR: str(rows[-1].id)} if len(rows) == limit else {}
    return Response(Envelope([_view(row) for row in rows]), headers=headers)


def _view(row: Row[Any]) -> AuditView:
    return AuditView(**row._mapping)
