"""The worker's sign of life, on a connection of its own: the shared pool may be busy for seconds after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg
import structlog

from jobs.database import LOST, RECONNECT_S, Connection, connect
from jobs.fence import Fence, now
from jobs.queue import WorkerDead

log = structlog.get_logger()

MOST_ADOPTED = 200
MOST_REBALANCED = 50
"""At a time. Each of these devices costs a login with its next job; no beat may wait long for either."""
LEAST_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a heartbeat tells of the worker."""

    busy: int
    held_sessions: int
    successful_jobs: int
    failed_jobs: int


class Heart:
    """Beats for one worker, and at each beat takes over devices that wait or that others have too many of."""

    def __init__(
        self,
        worker_id: int,
        fence: Fence,
        vitals: Callable[[], Vitals],
        every_s: float,
        on_draining: Callable[[], None],
    ) -> None:
        """`on_draining`: PostgreSQL says that the worker is to finish what it runs and leave; called at every beat."""
        self._worker_id = worker_id
        self._fence = fence
        self._vitals = vitals
        self._every_s = every_s
        self._timeout_s = max(every_s, LEAST_PATIENCE_S)
        self._on_draining = on_draining

    async def beat(self, url: str) -> None:
        """Beat until cancelled. Raises WorkerDead once PostgreSQL says so."""
        connection: Connection | None = None
        try:
            while True:
                try:
                    if connection is None:
                        connection = await connect(url, timeout_s=self._timeout_s)
                    await self._beat_once(connection)
                    await asyncio.sleep(self._every_s)
                except (*LOST, asyncpg.PostgresError) as error:
                    log.warning("heartbeat.failed", error=type(error).__name__)
                    if connection is not None:
                        connection.terminate()
                        connection = None
                    await asyncio.sleep(RECONNECT_S)
        finally:
            if connection is not None:
                connection.terminate()

    async def _beat_once(self, connection: Connection) -> None:
        sent, vitals = now(), self._vitals()
        state = await connection.fetchval(
            "SELECT netpulse.heartbeat($1, $2, $3, $4, $5)",
            self._worker_id,
            vitals.busy,
            vitals.held_sessions,
            vitals.successful_jobs,
            vitals.failed_jobs,
            timeout=self._timeout_s,
        )
        if state is None:
            self._fence.close()
            raise WorkerDead(f"worker {self._worker_id} was declared dead")
        self._fence.confirm(sent)
        if state == "draining":
            self._on_draining()
        else:
            await self._take_over(connection, until=sent + self._every_s)

    async def _take_over(self, connection: Connection, until: float) -> None:
        """Adopt what waits, in portions as long as there is time; then even the load out."""
        adopt, rebalance = "SELECT netpulse.adopt_devices($1, $2)", "SELECT netpulse.rebalance_devices($1, $2)"
        while await self._call(connection, adopt, MOST_ADOPTED) == MOST_ADOPTED and now() < until:
            pass
        if count := await self._call(connection, rebalance, MOST_REBALANCED):
            log.info("devices.taken_over", count=count)

    async def _call(self, connection: Connection, sql: str, limit: int) -> int:
        return int(await connection.fetchval(sql, self._worker_id, limit, timeout=self._timeout_s))
