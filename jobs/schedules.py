"""Schedules in PostgreSQL, as the API and the command line use them. The workers fire them: see jobs.firing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.host_patterns import HostPatterns, only
from jobs.schedule_entry import ScheduleEntry
from jobs.schedule_requests import Ready
from jobs.schedule_tables import schedule, schedule_firing
from jobs.ticks import Ticks

SHOWN_RUNS = 5

_LARGE = ("body", "jobs", "hosts")
_SUMMARY = [
    *(column for column in schedule.c if column.name not in _LARGE),
    func.cardinality(schedule.c.hosts).label("devices"),
    func.netpulse.schedule_blocked(schedule.c.submitted_by).label("blocked"),
]
_RUN = text("SELECT * FROM netpulse.run_schedule(:id)")
_REST = text("SELECT netpulse.queue_firing(:id)")
_UNIQUE_VIOLATION = "23505"


class NameTaken(Exception):
    """There is a schedule of that name."""


class BeingFired(Exception):
    """It fires, or is changed, at this moment."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of the wish to run a schedule at once. `obstacle`: why nothing was queued."""

    obstacle: str | None
    job_id: UUID | None
    batch_id: UUID | None


class Schedules:
    """The schedules. Rows have all columns but `jobs` and `hosts`; `devices`: how many; `blocked`: why none fires."""

    def __init__(self, database: AsyncEngine) -> None:
        """`database` commits each statement by itself."""
        self._database = database

    async def create(self, entry: ScheduleEntry, ready: Ready, by: str) -> Row[Any]:
        """Store a new one. Raises RequestInvalid for its cron and its time zone, NameTaken."""
        ticks = Ticks(entry.cron, entry.timezone)
        values = {
            **entry.model_dump(exclude={"request"}),
            **_of(ready, by),
            "id": uuid4(),
            "next_at": ticks.after(await self._now()) if entry.enabled else None,
        }
        return await self._written(insert(schedule).values(values))

    async def change(self, row: Row[Any], given: dict[str, Any], ready: Ready | None, by: str) -> Row[Any]:
        """Change what is `given` of the schedule `row`; `ready`: its new request, whose jobs are `by` then.

        When it is due next is found anew if cron, time zone or `enabled` change.

        Raises RequestInvalid for its cron and its time zone, NameTaken, BeingFired.
        """
        values = {name: value for name, value in given.items() if name != "request"} | _of(ready, by)
        merged = {name: values.get(name, getattr(row, name)) for name in ("cron", "timezone", "enabled")}
        ticks = Ticks(merged["cron"], merged["timezone"])
        if any(value != getattr(row, name) for name, value in merged.items()):
            values["next_at"] = ticks.after(await self._now()) if merged["enabled"] else None
        same = and_(schedule.c.id == row.id, schedule.c.updated_at == row.updated_at)
        if ready is not None:
            same = and_(same, ~_is_under_way())
        return await self._written(
            update(schedule).where(same).values({**values, "updated_at": func.clock_timestamp()})
        )

    async def find(self, key: UUID | str, hosts: HostPatterns | None = None) -> Row[Any] | None:
        """The schedule of that id or name, if all its devices are among `hosts`."""
        column = schedule.c.id if isinstance(key, UUID) else schedule.c.name
        wanted = select(*_SUMMARY, schedule.c.body).where(column == key, *_reached(hosts))
        async with self._database.connect() as connection:
            found: Any = await connection.execute(wanted)
        row: Row[Any] | None = found.one_or_none()
        return row

    async def page(
        self, hosts: HostPatterns | None, limit: int, *, enabled: bool | None = None, after: str = ""
    ) -> Sequence[Row[Any]]:
        """Schedules by name, those behind the name `after`; without their bodies."""
        wanted = select(*_SUMMARY).where(schedule.c.name > after, *_reached(hosts))
        if enabled is not None:
            wanted = wanted.where(schedule.c.enabled.is_(enabled))
        async with self._database.connect() as connection:
            return (await connection.execute(wanted.order_by(schedule.c.name).limit(limit))).all()

    async def firings(self, schedule_id: UUID) -> Sequence[Row[Any]]:
        """What became of its latest ticks, newest first."""
        of_it = schedule_firing.c.schedule_id == schedule_id
        async with self._database.connect() as connection:
            wanted = select(schedule_firing).where(of_it).order_by(schedule_firing.c.id.desc())
            return (await connection.execute(wanted)).all()

    async def remove(self, schedule_id: UUID) -> bool:
        """False: there was none. What it has queued goes on."""
        async with self._database.connect() as connection:
            return (await connection.execute(delete(schedule).where(schedule.c.id == schedule_id))).rowcount > 0

    async def run(self, schedule_id: UUID) -> Ran | None:
        """Fire it at once; None: there is no such schedule. If this breaks off, the workers queue the rest."""
        async with self._database.connect() as connection:
            row = (await connection.execute(_RUN, {"id": schedule_id})).one_or_none()
            rest = row is not None and row.rest
            while rest:
                rest = (await connection.execute(_REST, {"id": schedule_id})).scalar_one()
        return None if row is None else Ran(row.obstacle, row.job_id, row.batch_id)

    async def _now(self) -> datetime:
        """By PostgreSQL's clock, which decides what is due."""
        async with self._database.connect() as connection:
            now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        return now

    async def _written(self, statement: Any) -> Row[Any]:
        try:
            async with self._database.connect() as connection:
                row = (await connection.execute(statement.returning(schedule.c.id))).one_or_none()
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
                raise
            raise NameTaken from None
        written = None if row is None else await self.find(row.id)
        if written is None:
            raise BeingFired
        return written


def next_runs(row: Row[Any], count: int = SHOWN_RUNS) -> list[datetime]:
    """When the schedule is due the next few times; none if it is not enabled."""
    runs: list[datetime] = []
    ticks, tick = Ticks(row.cron, row.timezone), row.next_at
    while tick is not None and len(runs) < count:
        runs.append(tick)
        tick = ticks.after(tick)
    return runs


def _of(ready: Ready | None, by: str) -> dict[str, Any]:
    if ready is None:
        return {}
    return {"body": ready.body, "jobs": ready.jobs, "hosts": ready.hosts, "submitted_by": by}


def _is_under_way() -> ColumnElement[bool]:
    firing = schedule_firing
    return exists().where(firing.c.schedule_id == schedule.c.id, firing.c.rest_from.is_not(None))


def _reached(hosts: HostPatterns | None) -> list[ColumnElement[bool]]:
    """Conditions on the schedules all of whose devices are among `hosts`."""
    host = func.unnest(schedule.c.hosts).column_valued("host")
    return [~exists(select(host).where(~allowed).correlate(schedule)) for allowed in only(host, hosts)]
