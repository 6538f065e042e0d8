"""`/device`: asking for an operation on a device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Request, Response, post
from litestar.params import Parameter

from app.bodies import json_body
from app.envelope import Envelope, Problem
from app.failures import failures
from app.jobs import JobView, Wait, await_job, queue_name, view
from app.services import Services
from jobs.submit import Accepted, Submission, submit

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class AcceptedView:
    """A job in the queue. `warnings`: sentences about arguments that have no effect."""

    id: UUID
    status: Literal["queued", "started", "finished", "failed", "cancelled"]
    queue: str
    created_at: datetime
    warnings: list[str]


@post(
    ["/device/execute", "/device/exec"],
    summary="Run a command on a device, or change its configuration",
    responses=failures(400, 403, 409, 413, 415, 500, 503),
)
async def execute(
    request: AnyRequest,
    services: Services,
    wait: Wait = 0,
    idempotency_key: Annotated[
        str | None,
        Parameter(
            header="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="The same key and body within 24 hours answer with the first job, and queue nothing.",
        ),
    ] = None,
) -> Response[Envelope[AcceptedView | JobView]]:
    """Queue one job: 201. With `wait`, the answer is the job once it has ended. 200: an earlier request's job."""
    wanted = services.models.parse(await json_body(request))
    submission = Submission([wanted], request.user.name, idempotency_key, services.zone)
    [accepted] = await submit(services.database, services.seal, submission)
    data: AcceptedView | JobView = _accepted(accepted, wanted.warnings)
    if wait:
        record = await await_job(services, request, accepted.id, wait)
        if record is None:
            raise Problem(404, f"Job {accepted.id} is gone.")
        data = view(record)
    return Response(Envelope(data), status_code=201 if accepted.created else 200)


def _accepted(job: Accepted, warnings: list[str]) -> AcceptedView:
    state: Any = "started" if job.state == "claimed" else job.state
    return AcceptedView(job.id, state, queue_name(job.strategy, job.host), job.created_at, warnings)
