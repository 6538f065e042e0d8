"""What goes on record of a submission."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from litestar import Request

from app.services import Services
from app.trail import event_of, note
from jobs.batches import Batch
from jobs.submit import Accepted, Submission
from jobs.task_rows import AcceptedTask

AnyRequest = Request[Any, Any, Any]

SHOWN_HOSTS = 100


def submission(request: AnyRequest, idempotency_key: str | None = None) -> Submission:
    """Who asks; the transaction that queues the first job records the request."""
    return Submission(request.user, idempotency_key, event=event_of(request.scope, allowed=True))


def settle(request: AnyRequest, accepted: Accepted) -> None:
    """A job that is new is on record with its job; of another one, the trail records the request."""
    note(request.scope, host=accepted.host, job_id=accepted.id)
    if accepted.created:
        _settled(request)


def settle_task(request: AnyRequest, host: str, accepted: AcceptedTask) -> None:
    """The same for a detached task."""
    note(request.scope, host=host, job_id=accepted.job_id)
    if accepted.created:
        _settled(request)


def settle_bulk(request: AnyRequest, services: Services, batch: Batch) -> None:
    """The same for a bulk; devices that the key is not for are a refusal, whatever became of the others."""
    refused = [failed for failed in batch.failed if failed.forbidden]
    if refused:
        hosts = [failed.host for failed in refused[:SHOWN_HOSTS]]
        refusal = replace(
            event_of(request.scope, allowed=False),
            reason=refused[0].reason,
            batch_id=batch.id if batch.accepted else None,
            detail={"devices": len(refused), "hosts": hosts},
        )
        services.refusals.add(refusal)
    note(request.scope, batch_id=batch.id if batch.accepted else None)
    if any(job.created for _, job in batch.accepted):
        _settled(request)


def _settled(request: AnyRequest) -> None:
    cast(dict[str, Any], request.scope)["audited"] = True
