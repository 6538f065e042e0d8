"""The queue as one worker sees it: the SQL functions of migrations/sql."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from jobs.database import LOST, Pool, is_transient
from jobs.results import ErrorType, Outcome, output_row

log = structlog.get_logger()

RETRY_S = 0.3
"""Pause before a statement that failed because PostgreSQL is away is tried again."""


class WorkerDead(Exception):
    """PostgreSQL says that this incarnation was declared dead; its devices may have other holders."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that this worker runs now (see claim_jobs.sql)."""

    queue_job_id: int
    queue_name: str
    priority: int
    lock: str | None
    id: UUID
    driver: str
    operation: str
    strategy: str
    device_key: str
    request: dict[str, Any]
    sealed: bytes | None
    """None: the request has no secrets."""
    attempts: int
    max_attempts: int
    execution_timeout_s: float
    expired: bool


class JobQueue:
    """The SQL functions on behalf of one worker incarnation."""

    def __init__(self, pool: Pool, worker_id: int) -> None:
        self.worker_id = worker_id
        self._pool = pool

    async def claim(
        self, queue_worker: int, limit: int, fifo_limit: int | None = None, devices: Collection[str] | None = None
    ) -> list[Claimed]:
        """Claim up to `limit` jobs, at most `fifo_limit` of them fifo ones, the pinned ones for `devices` (None: any).

        Raises WorkerDead.
        """
        sql = "SELECT * FROM netpulse.claim_jobs($1, $2, $3, $4, $5)"
        named = None if devices is None else list(devices)
        try:
            rows = await self._pool.fetch(sql, self.worker_id, queue_worker, limit, fifo_limit, named)
        except asyncpg.PostgresError as error:
            if error.sqlstate == "NP001":
                raise WorkerDead(str(error)) from None
            raise
        return [Claimed(**dict(row)) for row in rows]

    async def reconcile(self, known: Collection[UUID]) -> int:
        """Give back the running jobs that are not `known` here. Never while a claim is under way. Raises WorkerDead."""
        count = await self._pool.fetchval("SELECT netpulse.reconcile_jobs($1, $2)", self.worker_id, list(known))
        if count is None:
            raise WorkerDead(f"worker {self.worker_id} was declared dead")
        return int(count)

    async def queue_worker(self) -> int:
        """The worker's row in procrastinate_workers, made with its registration."""
        sql = "SELECT queue_worker_id FROM netpulse.worker WHERE id = $1"
        return int(await until_answered(lambda: self._pool.fetchval(sql, self.worker_id)))

    async def requested_cancels(self) -> list[UUID]:
        """The jobs running here that somebody wants aborted."""
        rows = await self._pool.fetch("SELECT netpulse.requested_cancels($1)", self.worker_id)
        return [row[0] for row in rows]

    async def start(self, job_id: UUID) -> bool:
        """The change is about to be written; False: it is no longer this worker's, and nothing may be written."""
        return bool(await self.ask("SELECT netpulse.start_job($1, $2)", self.worker_id, job_id))

    async def record(self, job_id: UUID, outputs: list[dict[str, Any]]) -> bool:
        """Keep outputs of a job that goes on; False: it is no longer this worker's."""
        return bool(await self.ask("SELECT netpulse.record_output($1, $2, $3)", self.worker_id, job_id, outputs))

    async def ask(self, sql: str, *values: Any) -> Any:
        """The value that an idempotent statement answers, however long PostgreSQL takes."""
        return await until_answered(lambda: self._pool.fetchval(sql, *values))

    async def finish(self, ended: Iterable[tuple[Claimed, Outcome]]) -> set[UUID]:
        """End jobs, however long PostgreSQL takes to answer; returns those that this worker ended.

        That includes those that an earlier try ended, whose reply was lost.
        """
        batch = list(ended)
        results = [outcome.result(claimed.id) for claimed, outcome in batch]
        outputs = [
            output_row(claimed.id, position, reply, outcome)
            for claimed, outcome in batch
            for position, reply in enumerate(outcome.outputs)
        ]
        sql = "SELECT netpulse.finish_jobs($1, $2, $3)"
        try:
            done = await until_answered(lambda: self._pool.fetchval(sql, self.worker_id, results, outputs))
        except asyncpg.PostgresError as error:
            return await self._finish_singly(batch, error)
        return set(done)

    async def _finish_singly(self, batch: list[tuple[Claimed, Outcome]], error: asyncpg.PostgresError) -> set[UUID]:
        """PostgreSQL refuses something in the batch: no job may suffer for another one's result."""
        if len(batch) > 1:
            return set().union(*[await self.finish([single]) for single in batch])
        claimed, outcome = batch[0]
        if not outcome.outputs:
            raise error
        log.error("job.result_refused", job=str(claimed.id), error=type(error).__name__, sqlstate=error.sqlstate)
        message = f"The result could not be stored: PostgreSQL refused it ({type(error).__name__})."
        known = "unknown" if claimed.operation == "config" else "known"
        return await self.finish(
            [(claimed, Outcome("failed", (), ErrorType.DRIVER_FAULT, message, known, outcome.session_reused))]
        )


async def until_answered(call: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat an idempotent statement until PostgreSQL answers. Its refusals are raised."""
    while True:
        try:
            return await call()
        except LOST as error:
            log.warning("postgres.away", error=type(error).__name__)
        except asyncpg.PostgresError as error:
            if not is_transient(error):
                raise
            log.warning("postgres.refused", error=type(error).__name__)
        await asyncio.sleep(RETRY_S)
