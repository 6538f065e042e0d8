"""The sessions and devices that a worker holds, kept in step with what PostgreSQL says of them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from drivers.pool import Held, SessionPool
from jobs.database import LOST, Pool

log = structlog.get_logger()


class Holdings:
    """Drops dead sessions, releases devices whose sessions were closed, and reports what is open."""

    COMPARE_S = 10.0

    def __init__(self, database: Pool, worker_id: int, sessions: SessionPool, let_go: set[str]) -> None:
        """`let_go`: where the pool puts the keys of devices whose sessions it closed by itself."""
        self._database = database
        self._worker_id = worker_id
        self._sessions = sessions
        self._let_go = let_go
        self._reported: set[UUID] = set()
        self._compared = asyncio.get_running_loop().time()
        self._asked = asyncio.Event()

    def release(self, keys: list[str]) -> None:
        """Close the idle sessions on these devices, soon to be released unless they have jobs."""
        for key in keys:
            self._sessions.let_go(key)
        self._let_go.update(keys)
        self._asked.set()

    async def keep(self, every_s: float) -> None:
        """Tidy every `every_s` seconds, and at once after `release`; for ever."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), every_s)
            self._asked.clear()
            try:
                await self.tidy()
            except (*LOST, asyncpg.PostgresError) as error:  # nothing was forgotten: the next turn does it
                log.warning("tidying.failed", error=type(error).__name__)

    async def tidy(self) -> None:
        """One turn."""
        self._sessions.sweep()
        now = asyncio.get_running_loop().time()
        if now - self._compared > self.COMPARE_S:
            await self._close_foreign()
            self._compared = now
        await self._release()
        await self._report()

    async def _close_foreign(self) -> None:
        """Close sessions on devices that others hold by now: the notice may have got lost."""
        held = list({held.target.device_key for held in self._sessions.kept})
        for key in await self._database.fetchval("SELECT netpulse.foreign_devices($1, $2)", self._worker_id, held):
            if count := self._sessions.let_go(key):
                log.info("sessions.foreign", device=key, closed=count)

    async def _release(self) -> None:
        """Let others have the devices without a session: not those where one was opened again meanwhile."""
        keys = self._let_go - {held.target.device_key for held in self._sessions.kept}
        self._let_go.clear()
        if not keys:
            return
        try:
            await self._database.fetchval("SELECT netpulse.release_devices($1, $2)", self._worker_id, list(keys))
        except BaseException:
            self._let_go |= keys
            raise

    async def _report(self) -> None:
        """Tell which sessions were opened and closed since the last report that was answered."""
        kept = {held.id: held for held in self._sessions.kept}
        opened = [_session_row(held) for id_, held in kept.items() if id_ not in self._reported]
        closed = list(self._reported - kept.keys())
        if opened or closed:
            sql = "SELECT netpulse.report_sessions($1, $2, $3)"
            await self._database.fetchval(sql, self._worker_id, opened, closed)
            self._reported = set(kept)


def _session_row(held: Held) -> dict[str, Any]:
    """One element of report_sessions' `p_opened`: who is logged in where, nothing that opens a session."""
    target = held.target
    return {
        "id": str(held.id),
        "device_key": target.device_key,
        "host": target.host,
        "driver": target.family,
        "username": getattr(target.connection, "username", None),
        "opened_at": held.opened_at.isoformat(),
    }
