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

MOST_ADOPTED = 1000
LEAST_PATIENCE_S = 1.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a heartbeat tells of the worker."""

    busy: int
    held_sessions: int
    successful_jobs: int
    failed_jobs: int


async def beat(url: str, worker_id: int, fence: Fence, vitals: Callable[[], Vitals], every_s: float) -> None:
    """Beat until cancelled, and adopt waiting devices at each beat. Raises WorkerDead once PostgreSQL says so."""
    connection: Connection | None = None
    timeout_s = max(every_s, LEAST_PATIENCE_S)
    while True:
        try:
            if connection is None:
                connection = await connect(url, timeout_s=timeout_s)
            await _beat_once(connection, worker_id, fence, vitals(), timeout_s)
            await asyncio.sleep(every_s)
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("heartbeat.failed", error=type(error).__name__)
            if connection is not None:
                connection.terminate()
                connection = None
            await asyncio.sleep(RECONNECT_S)
        except asyncio.CancelledError:
            if connection is not None:
                connection.terminate()
            raise


async def _beat_once(connection: Connection, worker_id: int, fence: Fence, vitals: Vitals, timeout_s: float) -> None:
    sent = now()
    alive = await connection.fetchval(
        "SELECT netpulse.heartbeat($1, $2, $3, $4, $5)",
        worker_id,
        vitals.busy,
        vitals.held_sessions,
        vitals.successful_jobs,
        vitals.failed_jobs,
        timeout=timeout_s,
    )
    if not alive:
        fence.close()
        raise WorkerDead(f"worker {worker_id} was declared dead")
    fence.confirm(sent)
    await connection.fetchval("SELECT netpulse.adopt_devices($1, $2)", worker_id, MOST_ADOPTED, timeout=timeout_s)
