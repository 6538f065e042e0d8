"""`netpulse schedule`: schedules from the command line, straight in the database."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, NoReturn, TypeVar

from pydantic_core import from_json
from rich.console import Console
from rich.table import Table
from sqlalchemy import Row

from app.services import database_engine
from app.supervisor import StartFailed
from drivers.registry import load_drivers
from jobs.away import is_database_away
from jobs.candidates import Candidates
from jobs.invalid import RequestInvalid, validated
from jobs.logs import configure_logs
from jobs.placement import load_policy
from jobs.principal import Principal
from jobs.requests import RequestModels
from jobs.schedule_entry import ScheduleEntry
from jobs.schedule_requests import ready
from jobs.schedules import BeingFired, NameTaken, Schedules, next_runs
from jobs.seal import Seal, new_key
from jobs.settings import Settings, load_settings
from jobs.startup import process_secrets, require
from jobs.submit import Intake

T = TypeVar("T")

CLI = Principal("cli", frozenset({"admin"}))
LARGEST_BYTES = 64 * 2**20
PAGE = 1000


@dataclass(frozen=True)
class Desk:
    """The schedules, and what takes their requests in."""

    schedules: Schedules
    intake: Intake


def run_list() -> None:
    """Print all by name. Raises SettingsError, StartFailed."""
    Console().print(_with_desk(_listed))


def run_show(name: str) -> None:
    """Print one, or exit with 1. Raises SettingsError, StartFailed."""
    console = Console()
    for part in _with_desk(lambda desk: _shown(desk, name)):
        console.print(part)


def run_create(file: BinaryIO) -> None:
    """Make one of the JSON in `file`, or exit with 1. Raises SettingsError, StartFailed."""
    try:
        entry = validated(ScheduleEntry, from_json(file.read(LARGEST_BYTES + 1)[:LARGEST_BYTES], allow_inf_nan=False))
    except ValueError:  # its text may repeat what is in the file
        _fail("the file is not valid JSON")
    except RequestInvalid as error:
        _fail(str(error))
    row = _with_desk(lambda desk: _created(desk, entry))
    print(f"{row.name}: due next at {_moment(row.next_at)}")  # noqa: T201 - the command's answer


def run_enable(name: str, *, enabled: bool) -> None:
    """Let one fire or rest, or exit with 1. Raises SettingsError, StartFailed."""
    row = _with_desk(lambda desk: _enabled(desk, name, enabled=enabled))
    print(f"{row.name}: due next at {_moment(row.next_at)}")  # noqa: T201 - the command's answer


def run_now(name: str) -> None:
    """Fire one at once, or exit with 1. Raises SettingsError, StartFailed."""
    print(_with_desk(lambda desk: _run(desk, name)))  # noqa: T201 - the command's answer


def run_delete(name: str) -> None:
    """Remove one, or exit with 1. Raises SettingsError, StartFailed."""
    _with_desk(lambda desk: _deleted(desk, name))


async def _listed(desk: Desk) -> Table:
    table, after = Table("name", "cron", "timezone", "next", "last", "devices", "by", "blocked"), ""
    while rows := await desk.schedules.page(None, PAGE, after=after):
        for row in rows:
            times = (_moment(row.next_at), _moment(row.last_at))
            table.add_row(
                row.name, row.cron, row.timezone, *times, str(row.devices), row.submitted_by, row.blocked or ""
            )
        after = rows[-1].name
    return table


async def _shown(desk: Desk, name: str) -> list[Table]:
    row = await _found(desk, name)
    about = Table("field", "value")
    for field in ("id", "name", "cron", "timezone", "enabled", "overlap", "missed", "devices", "submitted_by"):
        about.add_row(field, str(getattr(row, field)))
    about.add_row("next runs", "\n".join(map(_moment, next_runs(row))))
    about.add_row("blocked", row.blocked or "")
    ticks = Table("tick", "queued", "refused", "job or batch", "skipped")
    for firing in await desk.schedules.firings(row.id):
        made = str(firing.job_id or firing.batch_id or "")
        counts = (str(firing.queued), str(firing.refused))
        ticks.add_row(_moment(firing.tick) if firing.tick else "run", *counts, made, firing.skipped or "")
    return [about, ticks]


async def _created(desk: Desk, entry: ScheduleEntry) -> Row[Any]:
    try:
        made = ready(desk.intake, RequestModels(load_drivers()), CLI, entry.request)
        return await desk.schedules.create(entry, made, CLI.name)
    except RequestInvalid as error:
        _fail(str(error))
    except NameTaken:
        _fail("there is a schedule of that name already")


async def _enabled(desk: Desk, name: str, *, enabled: bool) -> Row[Any]:
    try:
        return await desk.schedules.change(await _found(desk, name), {"enabled": enabled}, None, CLI.name)
    except RequestInvalid as error:
        _fail(str(error))
    except BeingFired:
        _fail("the schedule is changed at this moment; try again")


async def _run(desk: Desk, name: str) -> str:
    ran = await desk.schedules.run((await _found(desk, name)).id)
    if ran is None:
        _fail("there is no schedule of that name")
    if ran.obstacle is not None:
        _fail(f"nothing was queued: {ran.obstacle}")
    return f"job {ran.job_id}" if ran.batch_id is None else f"batch {ran.batch_id}"


async def _deleted(desk: Desk, name: str) -> None:
    await desk.schedules.remove((await _found(desk, name)).id)


async def _found(desk: Desk, name: str) -> Row[Any]:
    row = await desk.schedules.find(name)
    if row is None:
        _fail("there is no schedule of that name")
    return row


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"netpulse: {message}\n")
    sys.exit(1)


def _moment(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _with_desk(work: Callable[[Desk], Awaitable[T]]) -> T:
    return asyncio.run(_worked(work))


async def _worked(work: Callable[[Desk], Awaitable[T]]) -> T:
    try:
        async with _desk() as desk:
            return await work(desk)
    except Exception as error:  # only the predicate knows which ones mean that
        if not is_database_away(error):
            raise
        raise StartFailed("PostgreSQL is out of reach") from None


@asynccontextmanager
async def _desk() -> AsyncIterator[Desk]:
    settings = load_settings()
    url = require(settings, keys=False)
    configure_logs(settings.log, process_secrets(settings))
    database = database_engine(url, connections=1)
    try:
        yield Desk(Schedules(database), _intake(settings, database))
    finally:
        await database.dispose()


def _intake(settings: Settings, database: Any) -> Intake:
    nothing_to_seal = Seal([new_key()])  # a schedule has no secrets
    candidates = Candidates(database, load_policy(settings.server.placement))
    return Intake(database, nothing_to_seal, candidates, settings.worker.zone, host_keys=settings.worker.host_keys)
