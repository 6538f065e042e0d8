"""Placement as the API proposes it: a snapshot of the live workers, and the configured policy over it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import replace
from random import Random

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.placement import Candidate, Policy
from jobs.tables import device, worker

FRESH_S = 1.0
"""For so long a snapshot counts. What this process proposes meanwhile is added to it."""

_BY_WORKER = (
    select(device.c.worker_id, func.count().label("devices"))
    .where(device.c.worker_id.is_not(None))
    .group_by(device.c.worker_id)
    .subquery()
)
_SNAPSHOT = (
    select(worker.c.id, worker.c.zone, worker.c.capacity, func.coalesce(_BY_WORKER.c.devices, 0).label("devices"))
    .join(_BY_WORKER, _BY_WORKER.c.worker_id == worker.c.id, isouter=True)
    .where(worker.c.state == "live")
)


class Candidates:
    """The live workers of every zone, as of a moment ago. One per API process."""

    def __init__(self, database: AsyncEngine, policy: Policy, random: Random | None = None) -> None:
        """`database` commits each statement by itself. `random` is for tests."""
        self._database = database
        self._policy = policy
        self._random = random or Random()  # noqa: S311 - spreads load, guards nothing
        self._zones: dict[str, dict[int, Candidate]] = {}
        self._taken_at = -FRESH_S
        self._looking = asyncio.Lock()

    async def propose(self, zone: str, count: int) -> list[int | None]:
        """A worker for each of `count` devices that nobody holds: `new_job.preferred_worker`. None: let SQL decide.

        Raises what SQLAlchemy raises when PostgreSQL is away.
        """
        await self._look(FRESH_S)
        candidates = self._zones.get(zone)
        if not candidates:
            return [None] * count
        chosen = self._policy(list(candidates.values()), count, self._random)
        for worker_id, devices in Counter(chosen).items():
            if known := candidates.get(worker_id):
                candidates[worker_id] = replace(known, devices=known.devices + devices)
        return list(chosen)

    async def serves(self, zone: str) -> bool:
        """Is there a live worker in the zone? A no is looked up anew, so that it never is a second old."""
        await self._look(FRESH_S)
        if zone not in self._zones:
            await self.refresh()
        return zone in self._zones

    async def refresh(self) -> None:
        """Take a new snapshot now; those who ask at once share one."""
        await self._look(0)

    async def _look(self, older_than_s: float) -> None:
        asked_at = time.monotonic()
        async with self._looking:
            if self._taken_at > asked_at or time.monotonic() - self._taken_at < older_than_s:
                return
            began = time.monotonic()
            async with self._database.connect() as connection:
                rows = (await connection.execute(_SNAPSHOT)).all()
            zones: dict[str, dict[int, Candidate]] = defaultdict(dict)
            for row in rows:
                zones[row.zone][row.id] = Candidate(row.id, row.capacity, row.devices)
            self._zones, self._taken_at = dict(zones), began
