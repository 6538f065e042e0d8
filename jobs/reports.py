"""The views of schema `report`, for those who ask by HTTP: pages of rows, or all of them, without keeping them all."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Row, Text, TextClause, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

LONGEST_S = 30
"""Seconds that PostgreSQL may think before the next rows."""
LARGEST_PAGE_BYTES = 16 << 20
_WIDE, _NARROW = 10, 500
"""Rows that are read at once: of those with texts of devices fewer."""

_SETTINGS = text(
    "SELECT set_config('timezone', 'UTC', true), set_config('jit', 'off', true), "
    "set_config('plan_cache_mode', 'force_custom_plan', true), "  # which plan is the best depends on the times
    f"set_config('statement_timeout', '{LONGEST_S}s', true), "
    "set_config('idle_in_transaction_session_timeout', '60s', true)"  # the client does not take what it asked for
)
_COLUMNS = text("""
    SELECT c.relname AS report, obj_description(c.oid, 'pg_class') AS about, a.attname AS name,
           format_type(a.atttypid, a.atttypmod) AS type, col_description(c.oid, a.attnum) AS comment
      FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
     WHERE c.relnamespace = 'report'::regnamespace AND c.relkind = 'v'
     ORDER BY c.relname, a.attnum
""")
_TEXTS = ("text", "text[]", "jsonb")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Beginnings for which spreadsheets take a text for a formula: https://owasp.org/www-community/attacks/CSV_Injection"""


class ReportTooLong(Exception):
    """PostgreSQL gave up after LONGEST_S."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a view is asked."""

    order: str
    """Of its rows: one and only one."""
    time: str | None = None
    """The column that `since` and `until` are about."""
    filters: tuple[str, ...] = ()
    """Columns that may be asked for a value."""
    unit: str | None = None
    """day, hour: a row is a whole one, and counts from its beginning."""
    happens: bool = True
    """It grows without end: what is asked for has a beginning."""
    at_once: int = _WIDE


REPORTS: Mapping[str, Report] = {
    "job": Report(
        "ended_at DESC, id DESC",
        "ended_at",
        ("host", "zone", "driver", "operation", "state", "error_type", "submitted_by"),
    ),
    "output": Report("ended_at DESC, job_id DESC, position", "ended_at", ("host", "zone", "command")),
    "latest_output": Report("device, command", "seen_at", ("host", "command"), happens=False),
    "output_change": Report("changed_at DESC, job_id DESC, command", "changed_at", ("host", "command")),
    "change": Report(
        "ended_at DESC, job_id DESC",
        "ended_at",
        ("host", "zone", "driver", "state", "error_type", "submitted_by"),
    ),
    "device": Report("device", "last_seen_at", ("host", "zone"), happens=False, at_once=_NARROW),
    "failure": Report("day DESC, host, error_type", "day", ("host", "error_type"), "day", at_once=_NARROW),
    "availability": Report("day DESC, host", "day", ("host",), "day", at_once=_NARROW),
    "throughput": Report("hour DESC, zone", "hour", ("zone",), "hour", at_once=_NARROW),
    "worker_load": Report("id DESC", None, ("zone", "state"), happens=False, at_once=_NARROW),
    "delivery": Report("created_at DESC, id DESC", "created_at", ("host", "state", "submitted_by"), at_once=_NARROW),
    "audit": Report("at DESC, id DESC", "at", ("host", "actor"), at_once=_NARROW),
}
"""By the view's name, in the order in which people meet them."""


@dataclass(frozen=True, slots=True)
class ReportFilter:
    """Which rows: each given value must be the column's; `hosts` are the patterns of a key."""

    equal: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    hosts: Sequence[str] | None = None


async def describe(database: AsyncEngine) -> dict[str, list[Row[Any]]]:
    """The columns of each view, in order: `report, about, name, type, comment`."""
    async with database.connect() as connection:
        rows = (await connection.execute(_COLUMNS)).all()
    return {name: [row for row in rows if row.report == name] for name in REPORTS}


async def page(
    database: AsyncEngine, name: str, where: ReportFilter, limit: int, offset: int
) -> tuple[list[str], bool]:
    """Rows as JSON objects, from the `offset`th on: at most `limit`, and about LARGEST_PAGE_BYTES; and if that is all.

    Raises ReportTooLong.
    """
    statement = _statement(name, where, "to_json(r)::text", " LIMIT :limit OFFSET :offset")
    rows: list[str] = []
    size = 0
    async with _reading(database) as connection:
        found = await connection.stream_scalars(
            statement.bindparams(limit=limit, offset=offset), execution_options=_by(name)
        )
        async for row in found:
            rows.append(row)
            size += len(row)
            if size >= LARGEST_PAGE_BYTES:
                return rows, False
    return rows, len(rows) < limit


async def csv_lines(database: AsyncEngine, name: str, where: ReportFilter) -> AsyncIterator[str]:
    """All rows as CSV, some at a time, the header first. Raises ReportTooLong."""
    columns = (await describe(database))[name]
    yield _lines([[column.name for column in columns]])
    texts = [number for number, column in enumerate(columns) if column.type in _TEXTS]
    statement = _statement(name, where, ", ".join(map(_as_text, columns)), "")
    async with _reading(database) as connection:
        found = await connection.stream(statement, execution_options=_by(name))
        async for rows in found.partitions(REPORTS[name].at_once):
            yield _lines([harmless(row, texts) for row in rows])


def harmless(row: Sequence[str | None], texts: Sequence[int]) -> list[str | None]:
    """The cells of a row, those at `texts` in such a form that no spreadsheet runs them."""
    cells = list(row)
    for number in texts:
        cell = cells[number]
        if cell and cell.startswith(_FORMULA):
            cells[number] = f"'{cell}"
    return cells


def _statement(name: str, where: ReportFilter, shown: str, page: str) -> TextClause:
    """Names are those of REPORTS and of the views' own columns; values are bound."""
    conditions = list(_conditions(REPORTS[name], where))
    filtered = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    source = f"SELECT * FROM report.{name}{filtered} ORDER BY {REPORTS[name].order}{page}"  # noqa: S608 - see above
    values: dict[str, Any] = {**where.equal, "since": where.since, "until": where.until}
    statement = text(f"SELECT {shown} FROM ({source}) AS r")  # noqa: S608 - see above
    if where.hosts is not None:
        statement = statement.bindparams(bindparam("hosts", list(where.hosts), type_=ARRAY(Text)))
    return statement.bindparams(**{name: value for name, value in values.items() if value is not None})


def _conditions(report: Report, where: ReportFilter) -> list[str]:
    conditions = [f"{column} = :{column}" for column in where.equal]
    if where.since is not None:
        since = "CAST(:since AS timestamptz)"
        conditions.append(f"{report.time} >= " + (f"date_trunc('{report.unit}', {since})" if report.unit else since))
    if where.until is not None:
        conditions.append(f"{report.time} < CAST(:until AS timestamptz)")
    if where.hosts is not None:
        conditions.append("netpulse.host_allowed(host, :hosts)")
    return conditions


def _as_text(column: Row[Any]) -> str:
    if column.type == "text[]":
        return f"array_to_string(r.\"{column.name}\", E'\\n')"
    return f'r."{column.name}"::text'


def _lines(rows: Sequence[Sequence[str | None]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _by(name: str) -> dict[str, Any]:
    return {"yield_per": REPORTS[name].at_once}


@asynccontextmanager
async def _reading(database: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that only reads. Raises ReportTooLong."""
    try:
        async with database.execution_options(isolation_level="READ COMMITTED").connect() as connection:
            await connection.execute(_SETTINGS)
            yield connection
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "57014":  # query_canceled
            raise ReportTooLong from None
        raise
