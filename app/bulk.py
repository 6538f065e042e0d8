"""`/device/bulk`: one operation on many devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response, post
from litestar.openapi.datastructures import ResponseSpec

from app.bodies import json_body
from app.devices import IdempotencyKey
from app.envelope import Envelope
from app.failures import failures
from app.services import Needed
from app.submissions import settle_bulk, submission
from app.views import Status, queue_name, status_of
from jobs.batches import Batch, BulkSubmission, Failed
from jobs.bulk import Bulk
from jobs.submit import Accepted, zone_warnings

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class BulkJobView:
    """A member's job. `index`: its place in `devices`, from 0."""

    id: UUID
    status: Status
    queue: str
    created_at: datetime
    host: str
    index: int


@dataclass(frozen=True, slots=True)
class BulkFailureView:
    """A member that is not queued. `host` as it was sent; `index`: its place in `devices`, from 0."""

    host: str | None
    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class BulkView:
    """What became of a bulk, both lists in the order of `devices`. `batch_id`: null if nothing was queued."""

    batch_id: UUID | None
    succeeded: list[BulkJobView]
    failed: list[BulkFailureView]
    warnings: list[str]


UNCHANGED = ResponseSpec(
    Envelope[BulkView],
    description="Nothing was queued: these are the jobs of an earlier request with this Idempotency-Key, or every "
    "member failed.",
    generate_examples=False,
)


@post(
    "/device/bulk",
    summary="Run a command on many devices, or change their configuration",
    scope=("query", "config"),
    response_description="The members that succeeded are in the queue.",
    responses={200: UNCHANGED, **failures(400, 403, 409, 413, 415, 500, 503)},
)
async def execute_bulk(
    request: AnyRequest, services: Needed, idempotency_key: IdempotencyKey = None
) -> Response[Envelope[BulkView]]:
    """Queue a job for each of `devices`: 201. One bad member fails alone, the others are queued."""
    bulk = Bulk(services.models, await json_body(request))
    asked = submission(request, idempotency_key)
    batch = await BulkSubmission(services.intake, bulk, asked).run(services.bulk_slots)
    settle_bulk(request, services, batch)
    jobs = [job for _, job in batch.accepted]
    warnings = [*batch.warnings]
    if batch.sample is not None:
        warnings += await zone_warnings(services.intake, batch.sample, jobs)
    return Response(Envelope(_view(batch, warnings)), status_code=201 if any(job.created for job in jobs) else 200)


def _view(batch: Batch, warnings: list[str]) -> BulkView:
    return BulkView(
        batch_id=batch.id if batch.accepted else None,
        succeeded=[_job(index, job) for index, job in batch.accepted],
        failed=[_failure(failed) for failed in sorted(batch.failed, key=lambda failed: failed.index)],
        warnings=warnings,
    )


def _job(index: int, job: Accepted) -> BulkJobView:
    queue = queue_name(job.strategy, job.host)
    return BulkJobView(job.id, status_of(job.state), queue, job.created_at, job.host, index)


def _failure(failed: Failed) -> BulkFailureView:
    return BulkFailureView(failed.host, failed.index, failed.reason)
