"""`/schedule`: requests that come again and again by themselves."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, delete, get, patch, post
from litestar.datastructures import ResponseHeader
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter
from sqlalchemy import Row

from app.bodies import json_body
from app.envelope import Envelope, Failure, Problem, invalid
from app.failures import failures
from app.jobs import NEXT_CURSOR
from app.schedule_views import RemovedScheduleView, RunView, ScheduleSummary, ScheduleView, summary, view
from app.services import Needed, Services
from app.trail import note
from jobs.invalid import validated
from jobs.principal import Forbidden, Principal
from jobs.schedule_entry import ScheduleChange, ScheduleEntry, is_name
from jobs.schedule_requests import Ready, ready
from jobs.schedules import BeingFired, NameTaken

AnyRequest = Request[Any, Any, Any]

_NIGHTLY = {
    "name": "nightly-backup",
    "cron": "30 2 * * *",
    "timezone": "Europe/Berlin",
    "request": {
        "driver": "netmiko",
        "connection_args": {"device_type": "cisco_ios"},
        "credential_ref": "sites/hq/backup",
        "command": "show running-config",
        "devices": [{"host": "192.0.2.1"}, {"host": "192.0.2.2"}],
    },
    "overlap": "skip",
    "missed": "once",
}
EXAMPLES = {"every night": {"value": _NIGHTLY}}
CHANGE_EXAMPLES = {"pause": {"value": {"enabled": False}}, "another time": {"value": {"cron": "0 3 * * 1-5"}}}

TAKEN = ResponseSpec(
    Failure, description="There is a schedule of that name, or it fires at this moment.", generate_examples=False
)
OBSTACLE = ResponseSpec(
    Failure,
    description="Jobs of the last firing have not ended, or the key of the schedule is revoked.",
    generate_examples=False,
)


@get(
    "/schedule",
    summary="List schedules",
    scope="read",
    response_headers=[
        ResponseHeader(
            NEXT_CURSOR, documentation_only=True, description="`cursor` of the next page, if there may be one."
        )
    ],
    responses=failures(400, 403, 500, 503),
)
async def list_schedules(
    request: AnyRequest,
    services: Needed,
    name: Annotated[str | None, QueryParameter(name="name", max_length=63)] = None,
    enabled: Annotated[bool | None, QueryParameter(name="enabled")] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, QueryParameter(name="cursor", description="The last page's X-Next-Cursor.")] = None,
) -> Response[Envelope[list[ScheduleSummary]]]:
    """By name, without their requests. A key for some devices sees the schedules that are for these only."""
    if cursor is not None and not is_name(cursor):
        raise invalid(["query", "cursor"], "not a cursor; take it from X-Next-Cursor")
    hosts = request.user.hosts
    if name is not None:
        row = await services.schedules.find(name, hosts)
        rows = [row] if row is not None and enabled in (None, row.enabled) else []
        return Response(Envelope([summary(row) for row in rows]))
    found = await services.schedules.page(hosts, limit, enabled=enabled, after=cursor or "")
    headers = {NEXT_CURSOR: found[-1].name} if len(found) == limit else {}
    return Response(Envelope([summary(row) for row in found]), headers=headers)


@post(
    "/schedule",
    summary="Make a schedule",
    scope=("query", "config"),
    responses={**failures(400, 403, 413, 415, 500, 503), 409: TAKEN},
)
async def post_schedule(request: AnyRequest, services: Needed) -> Envelope[ScheduleView]:
    """Its request is validated as a whole; each of its devices must be valid. Its jobs are the key's that makes it."""
    entry = validated(ScheduleEntry, await json_body(request))
    made = await _ready(services, request.user, entry.request)
    try:
        row = await services.schedules.create(entry, made, request.user.name)
    except NameTaken:
        raise _taken() from None
    note(request.scope, subject=row.name)
    return Envelope(await _view(services, row))


@get(
    "/schedule/{schedule_id:uuid}", summary="Get a schedule", scope="read", responses=failures(400, 403, 404, 500, 503)
)
async def get_schedule(request: AnyRequest, services: Needed, schedule_id: FromPath[UUID]) -> Envelope[ScheduleView]:
    """The schedule with its request, its next five runs, and what became of its ticks."""
    return Envelope(await _view(services, await _found(services, request.user, schedule_id)))


@patch(
    "/schedule/{schedule_id:uuid}",
    summary="Change a schedule",
    scope=("query", "config"),
    responses={**failures(400, 403, 404, 413, 415, 500, 503), 409: TAKEN},
)
async def patch_schedule(request: AnyRequest, services: Needed, schedule_id: FromPath[UUID]) -> Envelope[ScheduleView]:
    """What is given is changed. Whoever gives another `request` is the one whose jobs are queued from then on."""
    change = validated(ScheduleChange, await json_body(request))
    row = await _mine(services, request, schedule_id)
    given = change.given
    made = await _ready(services, request.user, given["request"]) if "request" in given else None
    try:
        changed = await services.schedules.change(row, given, made, request.user.name)
    except NameTaken:
        raise _taken() from None
    except BeingFired:
        raise Problem(409, "The schedule fires, or is changed, at this moment; try again.") from None
    return Envelope(await _view(services, changed))


@delete(
    "/schedule/{schedule_id:uuid}",
    status_code=200,
    summary="Remove a schedule",
    scope=("query", "config"),
    responses=failures(400, 403, 404, 500, 503),
)
async def delete_schedule(
    request: AnyRequest, services: Needed, schedule_id: FromPath[UUID]
) -> Envelope[RemovedScheduleView]:
    """What it has queued goes on, and stays in the history."""
    row = await _mine(services, request, schedule_id)
    if not await services.schedules.remove(schedule_id):
        raise _missing()
    return Envelope(RemovedScheduleView(row.id, row.name))


@post(
    "/schedule/{schedule_id:uuid}/run",
    summary="Run a schedule now",
    scope=("query", "config"),
    response_description="Its jobs are in the queue.",
    responses={**failures(400, 403, 404, 500, 503), 409: OBSTACLE},
)
async def run_schedule(request: AnyRequest, services: Needed, schedule_id: FromPath[UUID]) -> Envelope[RunView]:
    """Queue its jobs once, also while it is not enabled. When it is due next stays as it is."""
    await _mine(services, request, schedule_id)
    ran = await services.schedules.run(schedule_id)
    if ran is None:
        raise _missing()
    if ran.obstacle is not None:
        raise Problem(409, f"Nothing was queued: {ran.obstacle}.")
    note(request.scope, job_id=ran.job_id, batch_id=ran.batch_id)
    return Envelope(RunView(ran.job_id, ran.batch_id))


async def _ready(services: Services, principal: Principal, body: object) -> Ready:
    """The other requests go on meanwhile. Raises RequestInvalid, Forbidden."""
    return await asyncio.to_thread(ready, services.intake, services.models, principal, body)


async def _found(services: Services, principal: Principal, schedule_id: UUID) -> Row[Any]:
    row = await services.schedules.find(schedule_id, principal.hosts)
    if row is None:
        raise _missing()
    return row


async def _mine(services: Services, request: AnyRequest, schedule_id: UUID) -> Row[Any]:
    """Raises Problem 404; Forbidden for another key's. Its owner may have its jobs run: keys do not change."""
    row = await _found(services, request.user, schedule_id)
    note(request.scope, subject=row.name)
    principal: Principal = request.user
    if row.submitted_by != principal.name and not principal.may("admin"):
        raise Forbidden(f"the key {principal.name!r} lacks the scope admin, which the schedule of another key needs")
    return row


def _missing() -> Problem:
    return Problem(404, "There is no such schedule.")


def _taken() -> Problem:
    return Problem(409, "There is a schedule of that name already.")


async def _view(services: Services, row: Row[Any]) -> ScheduleView:
    return view(row, await services.schedules.firings(row.id))
