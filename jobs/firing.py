"""Firing what is due: every worker looks, and of each tick PostgreSQL lets one of them queue the jobs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import structlog

from jobs.database import LOST, Pool, is_transient
from jobs.invalid import RequestInvalid
from jobs.ticks import Ticks

log = structlog.get_logger()

MISSED_AFTER = timedelta(seconds=60)
"""A tick that is older when somebody looks was missed."""

LOOK_S = 1.0
"""Looks at least this often, for schedules that are made or changed; and at the moment when the next one is due."""

MOST = 100
"""Schedules that one look fires."""

AT_ONCE = 3
"""Schedules that one worker fires at one time: one may wait for a device's lock."""

_MISSED = "it was due more than 60 seconds before any worker looked"

_DUE = """
SELECT s.id, s.cron, s.timezone, s.missed, s.next_at, s.updated_at, clock_timestamp() AS now
  FROM netpulse.schedule AS s WHERE s.next_at <= now() ORDER BY s.next_at LIMIT $1
"""
_INTERRUPTED = "SELECT f.schedule_id FROM netpulse.schedule_firing AS f WHERE f.rest_from IS NOT NULL LIMIT $1"
_NEXT_IN = "SELECT extract(epoch FROM min(next_at) - clock_timestamp()) FROM netpulse.schedule WHERE next_at > now()"
_FIRE = "SELECT netpulse.fire_schedule($1, $2, $3, $4, $5)"
_REST = "SELECT netpulse.queue_firing($1)"


class Firing:
    """One worker's part in it."""

    def __init__(self, database: Pool) -> None:
        self._database = database
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def keep(self) -> None:
        """Fire what is due, until cancelled."""
        while True:
            try:
                pause_s = await self.look()
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("schedules.unknown", error=type(error).__name__)
                pause_s = LOOK_S
            await asyncio.sleep(pause_s)

    async def look(self) -> float:
        """Fire what is due now; returns after how many seconds to look again."""
        interrupted = await self._database.fetch(_INTERRUPTED, MOST)
        await asyncio.gather(
            *(self._in_turn(self._go_on(row["schedule_id"]), row["schedule_id"]) for row in interrupted)
        )
        due = await self._database.fetch(_DUE, MOST)
        fired = await asyncio.gather(*(self._in_turn(self._fire(row), row["id"]) for row in due))
        if any(fired):
            return 0
        next_in_s = await self._database.fetchval(_NEXT_IN)
        return LOOK_S if next_in_s is None else min(LOOK_S, max(0.0, float(next_in_s)))

    async def _in_turn(self, work: Any, schedule: Any) -> bool:
        """Whether `work` had something to do. What fails for one schedule is tried again at the next look."""
        async with self._turns:
            try:
                return bool(await work)
            except (*LOST, asyncpg.PostgresError) as error:
                log.warning("schedule.not_fired", schedule=str(schedule), error=type(error).__name__)
                return False

    async def _fire(self, row: asyncpg.Record) -> bool:
        skipped, after = None, row["next_at"]
        if row["now"] - row["next_at"] > MISSED_AFTER:
            once = row["missed"] == "once"
            skipped, after = (None, row["now"]) if once else (_MISSED, row["now"] - MISSED_AFTER)
        try:
            next_at = Ticks(row["cron"], row["timezone"]).after(after)
        except RequestInvalid as error:  # its time zone is none any more
            skipped, next_at = str(error), None
        outcome = await self._outcome(row, next_at, skipped)
        if outcome == "part":
            await self._go_on(row["id"])
        if outcome is not None:
            log.info("schedule.due", schedule=str(row["id"]), tick=row["next_at"].isoformat(), outcome=outcome)
        return outcome is not None

    async def _outcome(self, row: asyncpg.Record, next_at: Any, skipped: str | None) -> str | None:
        tick = (row["id"], row["next_at"], row["updated_at"], next_at)
        try:
            outcome: str | None = await self._database.fetchval(_FIRE, *tick, skipped)
        except asyncpg.PostgresError as error:
            if is_transient(error):
                raise
            # It would be refused for ever, and its later ticks too.
            log.error("schedule.refused", schedule=str(row["id"]), error=type(error).__name__, sqlstate=error.sqlstate)
            outcome = await self._database.fetchval(_FIRE, *tick, f"PostgreSQL refused it ({type(error).__name__})")
        return outcome

    async def _go_on(self, schedule: Any) -> bool:
        """Queue the rest of a firing, part by part; others may join in."""
        done = rest = await self._database.fetchval(_REST, schedule)
        while rest:
            rest = await self._database.fetchval(_REST, schedule)
        return done is not None
