"""`/job/{id}/confirm`: a change that waits to be confirmed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.params import FromPath

from app.envelope import Envelope, Problem
from app.failures import failures
from app.services import Needed
from app.trail import note
from app.views import AcceptedView, AwaitedView, accepted_view, awaited_view
from app.waiting import Wait, await_job, find_job
from jobs.confirmations import NothingToConfirm, confirm

AnyRequest = Request[Any, Any, Any]


@post(
    "/job/{job_id:uuid}/confirm",
    summary="Confirm a change made with revert_in",
    scope="config",
    response_description="A job that confirms the change is in the queue, or has ended meanwhile.",
    responses=failures(400, 403, 404, 409, 500, 503),
)
async def confirm_job(
    request: AnyRequest, services: Needed, job_id: FromPath[UUID], wait: Wait = 0
) -> Envelope[AcceptedView | AwaitedView]:
    """Queue the confirmation: 201. 409: there is nothing to confirm, or it is too late. With `wait`, its end."""
    note(request.scope, job_id=job_id)
    if request.user.hosts is not None and await find_job(services, job_id, request.user.hosts) is None:
        raise Problem(404, f"There is no job {job_id}.")
    try:
        accepted = await confirm(services.intake, job_id, request.user)
    except NothingToConfirm as error:
        raise Problem(409, str(error)) from None
    if accepted is None:
        raise Problem(404, f"There is no job {job_id}.")
    record = await await_job(services, request, accepted.id, wait) if wait else None
    return Envelope(awaited_view(record, []) if record else accepted_view(accepted, []))
