"""`/device`: asking for an operation on a device."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter

from app.bodies import json_body
from app.envelope import Envelope
from app.failures import failures
from app.multipart import is_multipart, upload_request
from app.services import Needed, Services
from app.submissions import settle, submission
from app.views import AcceptedView, AwaitedView, accepted_view, awaited_view
from app.waiting import Wait, await_job
from jobs.away import is_database_away
from jobs.history import JobRecord
from jobs.submit import Accepted, submit, zone_warnings

AnyRequest = Request[Any, Any, Any]

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key and body within 24 hours answer with the first job, and queue nothing.",
    ),
]

REPLAYED = ResponseSpec(
    Envelope[AcceptedView | AwaitedView],
    description="The Idempotency-Key was used before for the same request; this is its job, and nothing was queued.",
    generate_examples=False,
)


@post(
    ["/device/execute", "/device/exec"],
    summary="Run a command on a device, or change its configuration",
    scope=("query", "config"),
    response_description="The job is in the queue, or has ended meanwhile.",
    responses={200: REPLAYED, **failures(400, 403, 409, 413, 415, 500, 503)},
)
async def execute(
    request: AnyRequest,
    services: Needed,
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> Response[Envelope[AcceptedView | AwaitedView]]:
    """Queue one job: 201. With `wait`, the answer is the job once it has ended. 200: an earlier request's job."""
    if is_multipart(request):
        wanted = await upload_request(request, services)
    else:
        wanted = services.models.parse(await json_body(request))
    accepted = await submit(services.intake, wanted, submission(request, idempotency_key))
    settle(request, accepted)
    warnings = [*wanted.warnings, *await zone_warnings(services.intake, wanted, [accepted])]
    record = await _awaited(services, request, accepted, wait) if wait else None
    data = awaited_view(record, warnings) if record else accepted_view(accepted, warnings)
    return Response(Envelope(data), status_code=201 if accepted.created else 200)


async def _awaited(services: Services, request: AnyRequest, accepted: Accepted, wait_s: float) -> JobRecord | None:
    """The job; None if PostgreSQL went away meanwhile: the job is accepted, and the client must get its id."""
    try:
        return await await_job(services, request, accepted.id, wait_s)
    except Exception as error:  # only the predicate knows which ones mean that
        if not is_database_away(error):
            raise
        return None
