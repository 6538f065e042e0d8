"""`/report`: the views of schema `report`, as JSON or CSV."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from litestar import Request, Response, get
from litestar.datastructures import ResponseHeader
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from app.envelope import Envelope, Problem, invalid
from app.failures import failures
from app.filters import Host, host_name, moment
from app.jobs import NEXT_CURSOR
from app.services import Needed, Services
from app.trail import note
from jobs.principal import Forbidden, Principal
from jobs.reports import LONGEST_S, REPORTS, ReportFilter, ReportTooLong, csv_lines, describe, page

AnyRequest = Request[Any, Any, Any]

RECENT = timedelta(days=7)
"""How far back a report of what happened goes by itself."""
LONGEST_STREAM_S = 600
GREATEST_OFFSET = 10_000_000
_MOMENT = {"format": "date-time"}


@dataclass(frozen=True, slots=True)
class ColumnView:
    """A column: its PostgreSQL type, and what it means."""

    name: str
    type: str
    description: str


@dataclass(frozen=True, slots=True)
class ReportView:
    """A report. `time`: the column that since and until are about; null: none. `filters`: parameters that it takes."""

    name: str
    description: str
    time: str | None
    filters: list[str]
    columns: list[ColumnView]


@get("/report", summary="List the reports", scope="read", responses=failures(400, 403, 500, 503))
async def list_reports(services: Needed) -> Envelope[list[ReportView]]:
    """What each view of schema `report` shows, with its columns."""
    described = await describe(services.database)
    return Envelope(
        [
            ReportView(
                name,
                columns[0].about,
                REPORTS[name].time,
                list(REPORTS[name].filters),
                [ColumnView(column.name, column.type, column.comment) for column in columns],
            )
            for name, columns in described.items()
        ]
    )


def _filter(name: str, description: str) -> Any:
    return QueryParameter(name=name, description=description, max_length=1000)


@get(
    "/report/{name:str}",
    summary="Get the rows of a report",
    scope="read",
    response_headers=[
        ResponseHeader(
            NEXT_CURSOR, documentation_only=True, description="`cursor` of the next page, if there may be one."
        )
    ],
    responses=failures(400, 403, 404, 500, 503),
)
async def get_report(
    request: AnyRequest,
    services: Needed,
    name: FromPath[str],
    host: Host = None,
    zone: Annotated[str | None, _filter("zone", "Part of the network.")] = None,
    command: Annotated[str | None, _filter("command", "As it was sent.")] = None,
    driver: Annotated[str | None, _filter("driver", "netmiko, napalm, …")] = None,
    operation: Annotated[str | None, _filter("operation", "command, config, …")] = None,
    state_: Annotated[str | None, _filter("state", "Of the job, the worker or the delivery.")] = None,
    error_type: Annotated[str | None, _filter("error_type", "One of the closed list.")] = None,
    submitted_by: Annotated[str | None, _filter("submitted_by", "Name of the API key.")] = None,
    actor: Annotated[str | None, _filter("actor", "Name of the API key, or cli.")] = None,
    since: Annotated[
        str | None,
        QueryParameter(
            name="since",
            schema_extra=_MOMENT,
            description="At or after, by the report's `time`; without an offset UTC. Reports of what happened begin "
            f"{RECENT.days} days ago by themselves.",
        ),
    ] = None,
    until: Annotated[
        str | None,
        QueryParameter(name="until", schema_extra=_MOMENT, description="Before; without an offset UTC."),
    ] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=10_000, description="Of JSON; CSV has all.")] = 1000,
    cursor: Annotated[
        int | None,
        QueryParameter(name="cursor", ge=1, le=GREATEST_OFFSET, description="The last page's X-Next-Cursor."),
    ] = None,
    wanted: Annotated[
        Literal["json", "csv"] | None,
        QueryParameter(name="format", description="csv, or `Accept: text/csv`: all rows, streamed."),
    ] = None,
) -> Response[Envelope[list[dict[str, Any]]]]:
    """The rows, as docs/reporting.md has them. A page ends before `limit` when it gets large.

    A key for some devices gets the rows of these, and no report without a host. `audit` needs the scope admin.
    """
    _require(request.user, name)
    note(request.scope, subject=name)
    given = {
        "host": None if host is None else host_name(host),
        "zone": zone,
        "command": command,
        "driver": driver,
        "operation": operation,
        "state": state_,
        "error_type": error_type,
        "submitted_by": submitted_by,
        "actor": actor,
    }
    equal = {column: value for column, value in given.items() if value is not None}
    where = _where(request.user, name, equal, moment("since", since), moment("until", until))
    if wanted == "csv" or (wanted is None and "text/csv" in request.headers.get("accept", "")):
        return await _as_csv(services, name, where)
    return await _as_json(services, name, where, limit, cursor or 0)


def _require(principal: Principal, name: str) -> None:
    """Raises Problem 404, Forbidden."""
    if name not in REPORTS:
        raise Problem(404, f"There is no such report; there are {', '.join(REPORTS)}.")
    if name == "audit":
        principal.require("admin")
    if principal.hosts is not None and "host" not in REPORTS[name].filters:
        raise Forbidden(f"the key {principal.name!r} is for some devices, and this report is about all of them")


def _where(
    principal: Principal, name: str, equal: dict[str, str], since: datetime | None, until: datetime | None
) -> ReportFilter:
    """Raises Problem 400 for a filter that is not the report's."""
    report = REPORTS[name]
    takes = [*report.filters, *(("since", "until") if report.time else ())]
    given = [*equal, *(bound for bound, value in (("since", since), ("until", until)) if value is not None)]
    for parameter in given:
        if parameter not in takes:
            raise invalid(["query", parameter], f"no filter of this report, which takes {', '.join(takes)}")
    if report.happens and since is None:
        since = (until or datetime.now(UTC)) - RECENT
    return ReportFilter(equal, since, until, None if principal.hosts is None else principal.hosts.texts)


async def _as_json(services: Services, name: str, where: ReportFilter, limit: int, offset: int) -> Response[Any]:
    try:
        rows, is_all = await page(services.database, name, where, limit, offset)
    except ReportTooLong:
        raise _too_long() from None
    body = f'{{"code":200,"message":"success","data":[{",".join(rows)}]}}'.encode()
    headers = {} if is_all else {NEXT_CURSOR: str(offset + len(rows))}
    return Response(body, headers=headers, media_type="application/json")


async def _as_csv(services: Services, name: str, where: ReportFilter) -> Response[Any]:
    if services.report_slots.locked():
        raise Problem(429, "Other reports are being streamed; try again later.", headers={"Retry-After": "10"})
    lines = _in_slot(services, name, where)
    try:
        begun = [await anext(lines), await anext(lines, "")]
    except ReportTooLong:
        raise _too_long() from None
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Stream(_all(begun, lines), headers=headers, media_type="text/csv")


async def _in_slot(services: Services, name: str, where: ReportFilter) -> AsyncIterator[str]:
    """Ends, broken off, after LONGEST_STREAM_S: it holds a connection to PostgreSQL."""
    end = asyncio.get_running_loop().time() + LONGEST_STREAM_S
    async with services.report_slots:
        async for lines in csv_lines(services.database, name, where):
            yield lines
            if asyncio.get_running_loop().time() > end:
                raise TimeoutError(f"the report {name} took longer than {LONGEST_STREAM_S} s")


async def _all(begun: list[str], rest: AsyncIterator[str]) -> AsyncIterator[str]:
    """What fails at the beginning is still an answer: that part is read before."""
    for lines in begun:
        yield lines
    async for lines in rest:
        yield lines


def _too_long() -> Problem:
    return Problem(400, f"The report takes longer than {LONGEST_S} s: ask for less by since, until and host.")
