"""`/device/test-connection`: does a login work? A worker tries it, since the API may not reach the devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from app.bodies import json_body
from app.envelope import Envelope, Failure, Problem
from app.failures import failures
from app.services import Needed, Services
from app.submissions import settle, submission
from app.waiting import await_job
from jobs.history import JobFilter, JobRecord, cancel_jobs
from jobs.options import Options
from jobs.results import ErrorType
from jobs.submit import submit

AnyRequest = Request[Any, Any, Any]

STORED_S = 5.0
"""The end of a job that ran out of time comes a moment later."""

RETRY_AFTER_S = 5

NOT_TRIED = ResponseSpec(
    Failure,
    description="No worker tried it in time, or PostgreSQL is out of reach; see Retry-After.",
    generate_examples=False,
)

Timeout = Annotated[
    float,
    QueryParameter(
        name="timeout", gt=0, le=120, description="Seconds that the login may take, once a worker has begun with it."
    ),
]


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What is known of the device. After a failure, or where the driver has no such thing, `prompt` is null."""

    driver: str
    host: str
    port: int
    device_type: str | None
    prompt: str | None


@dataclass(frozen=True, slots=True)
class TestView:
    """How the login went. `connection_time`: seconds, also of one that failed. `error_type`: as in a job's error."""

    success: bool
    connection_time: float | None
    error_type: str | None
    error_message: str | None
    device_info: DeviceInfo
    timestamp: datetime
    job_id: UUID


@post(
    ["/device/test-connection", "/device/test"],
    status_code=200,
    summary="Try a login",
    scope="query",
    responses={**failures(400, 403, 413, 415, 500), 503: NOT_TRIED},
)
async def try_login(request: AnyRequest, services: Needed, timeout_s: Timeout = 60) -> Envelope[TestView]:
    """Log in on a session of its own, and close it. A login that fails is `success: false`, HTTP 200.

    503: no worker of the zone tried it in time; then the job is cancelled.
    """
    wanted = services.probes.parse(await json_body(request), timeout_s)
    zone = services.intake.zone_of(wanted)
    if not await services.intake.candidates.serves(zone):
        raise _nobody(f"No worker serves the zone {zone!r} now.")
    accepted = await submit(services.intake, wanted, submission(request))
    settle(request, accepted)
    record = await _ended(services, request, accepted.id, wanted.options)
    if record is None or record.job.error_type == ErrorType.EXPIRED:
        raise _nobody(f"No worker of the zone {zone!r} tried it in time; it was called off.")
    return Envelope(_view(record))


async def _ended(services: Services, request: AnyRequest, job_id: UUID, options: Options) -> JobRecord | None:
    """The job once it has ended; None if no worker took it in time, or ended it: then it was called off."""
    for patience_s in (options.ttl, options.execution_timeout + STORED_S):
        record = await await_job(services, request, job_id, patience_s)
        if record is not None and record.ended:
            return record
        if record is None or record.job.state == "queued":
            break
    await cancel_jobs(services.database, JobFilter(id=job_id), force=True)
    return None


def _nobody(message: str) -> Problem:
    return Problem(503, message, headers={"Retry-After": str(RETRY_AFTER_S)})


def _view(record: JobRecord) -> TestView:
    row = record.job
    said = record.outputs[0] if record.outputs else None
    elapsed_s = (row.ended_at - row.started_at).total_seconds() if row.started_at else None
    return TestView(
        success=row.state == "finished",
        connection_time=said.duration_s if said else elapsed_s,
        error_type=row.error_type,
        error_message=row.error_message,
        device_info=_device(row, said),
        timestamp=row.ended_at,
        job_id=row.id,
    )


def _device(row: Any, said: Any | None) -> DeviceInfo:
    found = (said.parsed or {}).get("device_type") if said else None
    return DeviceInfo(
        driver=row.driver,
        host=row.host,
        port=int(row.device_key.rpartition(":")[2]),
        device_type=found or row.request["connection_args"].get("device_type"),
        prompt=(said.stdout or None) if said else None,
    )
