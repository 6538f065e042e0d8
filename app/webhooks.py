"""`/webhook/delivery`: what receivers were told of jobs' ends, and telling them again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import ResponseHeader
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Row

from app.envelope import Envelope, Problem
from app.failures import failures
from app.filters import Since, moment, page_cursor
from app.jobs import NEXT_CURSOR
from app.services import Needed
from app.trail import note
from jobs.webhooks.history import DeliveryFilter, DeliveryRecord, find_deliveries, redeliver

AnyRequest = Request[Any, Any, Any]
DeliveryState: TypeAlias = Literal["due", "sending", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt. `duration`: seconds; null while it is under way. `status`: HTTP status of the receiver's answer.

    `error`: why it failed; null if it did not.
    """

    number: int
    started_at: datetime
    duration: float | None
    status: int | None
    error: str | None
    worker: str


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery. `url`: what follows the host is hidden. `next_at`: when it is tried next.

    `state`: due, sending, delivered, or failed: given up.
    """

    id: UUID
    job_id: UUID
    event_type: str
    url: str
    receiver: str
    state: DeliveryState
    created_at: datetime
    next_at: datetime | None
    delivered_at: datetime | None
    failed_at: datetime | None
    attempts: list[AttemptView]


@get(
    "/webhook/delivery",
    summary="List webhook deliveries, newest first",
    scope="read",
    response_headers=[
        ResponseHeader(
            NEXT_CURSOR, documentation_only=True, description="`cursor` of the next page, if there may be one."
        )
    ],
    responses=failures(400, 403, 500, 503),
)
async def list_deliveries(
    request: AnyRequest,
    services: Needed,
    id_: Annotated[UUID | None, QueryParameter(name="id", description="One delivery.")] = None,
    job: Annotated[UUID | None, QueryParameter(name="job", description="Those about one job.")] = None,
    state_: Annotated[DeliveryState | None, QueryParameter(name="state")] = None,
    receiver: Annotated[
        str | None, QueryParameter(name="receiver", description="`scheme://host:port`, as in the answer.")
    ] = None,
    since: Since = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, QueryParameter(name="cursor", description="The last page's X-Next-Cursor.")] = None,
) -> Response[Envelope[list[DeliveryView]]]:
    """With every attempt. Every given filter must match."""
    where = DeliveryFilter(
        id=id_,
        job=job,
        state=state_,
        receiver=receiver.lower() if receiver is not None else None,
        since=moment("since", since),
        before=page_cursor(cursor),
        hosts=request.user.hosts,
    )
    found = await find_deliveries(services.database, where, limit)
    headers = {NEXT_CURSOR: found[-1].delivery.id.hex} if len(found) == limit else {}
    return Response(Envelope([_view(record) for record in found]), headers=headers)


@post(
    "/webhook/delivery/{delivery_id:uuid}/redeliver",
    status_code=200,
    summary="Try a delivery again that was given up",
    scope=("query", "config"),
    responses=failures(400, 403, 404, 409, 500, 503),
)
async def redeliver_one(request: AnyRequest, services: Needed, delivery_id: FromPath[UUID]) -> Envelope[DeliveryView]:
    """At once, with all its retries. 409: it was not given up, or so long ago that its secrets are gone."""
    where = DeliveryFilter(id=delivery_id, hosts=request.user.hosts)
    found = await find_deliveries(services.database, where, 1)
    if not found:
        raise Problem(404, f"There is no delivery {delivery_id}.")
    note(request.scope, subject=str(delivery_id), job_id=found[0].delivery.job_id)
    if not await redeliver(services.database, delivery_id):
        raise Problem(409, "It was not given up, or so long ago that its secrets are gone; repeat the job instead.")
    [record] = await find_deliveries(services.database, where, 1)
    return Envelope(_view(record))


def _view(record: DeliveryRecord) -> DeliveryView:
    row = record.delivery
    return DeliveryView(
        id=row.id,
        job_id=row.job_id,
        event_type=row.event_type,
        url=row.url,
        receiver=row.receiver,
        state=row.state,
        created_at=row.created_at,
        next_at=row.next_at,
        delivered_at=row.delivered_at,
        failed_at=row.failed_at,
        attempts=[_attempt(attempt) for attempt in record.attempts],
    )


def _attempt(row: Row[Any]) -> AttemptView:
    return AttemptView(row.number, row.started_at, row.duration_s, row.status, row.error, row.worker)
