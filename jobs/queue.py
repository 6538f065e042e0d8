"""The queue as one worker sees it: the SQL functions (migrations/sql), and procrastinate's JobManager on top of them.

procrastinate keeps the queue's table, the defer function and the Worker; fetching, finishing and listening are ours
(docs/decisions/0002): its own fetch wakes nobody when a device becomes free, and ends the worker on a database error.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from procrastinate import connector, manager
from procrastinate.jobs import Job, Status
from typing_extensions import override

from jobs.database import LOST, Pool, is_transient, listen
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
    sealed: bytes
    attempts: int
    max_attempts: int
    execution_timeout_s: float
    expired: bool


@dataclass(frozen=True, slots=True)
class _Ended:
    claimed: Claimed
    outcome: Outcome
    stored: asyncio.Future[None]


class JobQueue:
    """The SQL functions on behalf of one worker incarnation."""

    def __init__(self, pool: Pool, worker_id: int) -> None:
        self.worker_id = worker_id
        self._pool = pool

    async def claim(self, queue_worker: int, limit: int) -> list[Claimed]:
        """Claim up to `limit` jobs. Raises WorkerDead."""
        try:
            rows = await self._pool.fetch(
                "SELECT * FROM netpulse.claim_jobs($1, $2, $3)", self.worker_id, queue_worker, limit
            )
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

    async def start(self, job_id: UUID) -> bool:
        """The change is about to be written; False: it is no longer this worker's, and nothing may be written."""
        sql = "SELECT netpulse.start_job($1, $2)"
        return bool(await _until_answered(lambda: self._pool.fetchval(sql, self.worker_id, job_id)))

    async def record(self, job_id: UUID, outputs: list[dict[str, Any]]) -> bool:
        """Keep outputs of a job that goes on; False: it is no longer this worker's."""
        sql = "SELECT netpulse.record_output($1, $2, $3)"
        return bool(await _until_answered(lambda: self._pool.fetchval(sql, self.worker_id, job_id, outputs)))

    async def finish(self, ended: Iterable[tuple[Claimed, Outcome]]) -> set[UUID]:
        """End jobs, however long PostgreSQL takes to answer; returns those that were still this worker's."""
        batch = list(ended)
        results = [outcome.result(claimed.id) for claimed, outcome in batch]
        outputs = [
            output_row(claimed.id, position, reply)
            for claimed, outcome in batch
            for position, reply in enumerate(outcome.outputs)
        ]
        sql = "SELECT netpulse.finish_jobs($1, $2, $3)"
        try:
            done = await _until_answered(lambda: self._pool.fetchval(sql, self.worker_id, results, outputs))
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


async def _until_answered(call: Callable[[], Awaitable[Any]]) -> Any:
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


class PinnedJobManager(manager.JobManager):
    """Batch claims with a wake-up of their own, and finishes that share a statement.

    `fetch_job` blocks until there is a job. It never raises for a database error: that would end the Worker.
    """

    RECONCILE_S = 5.0
    MOST_CLAIMED = 32

    def __init__(
        self,
        unused: connector.BaseConnector,
        queue: JobQueue,
        pool: Pool,
        url: str,
        *,
        zone: str,
        poll_s: float,
        concurrency: int,
        on_dead: Callable[[], None],
        on_word: Callable[[str], None],
    ) -> None:
        """`concurrency`: jobs that may run at once. `on_dead`: PostgreSQL called us dead. `on_word`: see wake.sql."""
        super().__init__(unused)
        self._queue = queue
        self._pool = pool
        self._url = url
        self._zone = zone
        self._poll_s = poll_s
        self._concurrency = concurrency
        self._on_dead = on_dead
        self._on_word = on_word
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._claimed: deque[Claimed] = deque()
        self._running: dict[int, Claimed] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._ended: list[_Ended] = []
        self._flushing: asyncio.Task[None] | None = None
        self._in_doubt = True
        self._reconciled = 0.0
        self.successful = 0
        self.failed = 0

    @property
    def busy(self) -> int:
        """Jobs claimed and not ended."""
        return len(self._running)

    def claimed(self, queue_job_id: int) -> Claimed:
        """What was claimed with this row of procrastinate_jobs."""
        return self._running[queue_job_id]

    def conclude(self, queue_job_id: int, outcome: Outcome) -> None:
        """Say how the job ended; `finish_job` stores it."""
        self._outcomes[queue_job_id] = outcome

    def stop(self) -> None:
        """Let a waiting `fetch_job` return None."""
        self._stopping.set()
        self._wake.set()

    @override
    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The next job to run, as soon as there is one; None once `stop` was called."""
        while not self._stopping.is_set():
            if self._claimed:
                return _as_procrastinate(self._claimed.popleft(), worker_id)
            self._wake.clear()  # before the query: a notice that comes during it must not be lost
            if await self._claim(worker_id):
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), self._poll_s)
            except TimeoutError:
                continue
        return None

    async def _claim(self, queue_worker: int) -> bool:
        """Claim as many as may start at once. After an error or every few seconds, reconcile first."""
        now = asyncio.get_running_loop().time()
        try:
            if self._in_doubt or now - self._reconciled > self.RECONCILE_S:
                known = [claimed.id for claimed in self._running.values()]
                if count := await self._queue.reconcile(known):
                    log.warning("jobs.reconciled", count=count)
                self._in_doubt, self._reconciled = False, now
            limit = min(self.MOST_CLAIMED, self._concurrency - len(self._running))  # claimed is started at once
            jobs = await self._queue.claim(queue_worker, limit)
        except WorkerDead:
            self._on_dead()
            self.stop()
            return False
        except (*LOST, asyncpg.PostgresError) as error:
            # The claim may have been committed and its reply lost.
            self._in_doubt = True
            log.warning("claim.failed", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
            return False
        self._claimed.extend(jobs)
        self._running.update({job.queue_job_id: job for job in jobs})
        return bool(jobs)

    @override
    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Store the outcome that `conclude` was told."""
        assert job.id is not None
        outcome = self._outcomes.pop(job.id, None)
        if outcome is None:
            # Interrupted by a shutdown. It stays known here, so that reconcile leaves it to the reaper's judgement.
            return
        ended = _Ended(self._running[job.id], outcome, asyncio.get_running_loop().create_future())
        self._ended.append(ended)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await ended.stored
        del self._running[job.id]
        self._wake.set()  # the device is free, and so is a slot

    async def _flush(self) -> None:
        """Store what has ended; what ends meanwhile goes into the next statement."""
        try:
            while self._ended:
                batch, self._ended = self._ended, []
                await self._store(batch)
        finally:
            self._flushing = None

    async def _store(self, batch: list[_Ended]) -> None:
        try:
            done = await self._queue.finish([(ended.claimed, ended.outcome) for ended in batch])
        except Exception as error:  # noqa: BLE001 - whatever it was, the jobs waiting for these futures must hear of it
            for ended in batch:
                if not ended.stored.done():
                    ended.stored.set_exception(error)
            return
        for ended in batch:
            self._count(ended, done)
            if not ended.stored.done():
                ended.stored.set_result(None)

    def _count(self, ended: _Ended, done: set[UUID]) -> None:
        if ended.claimed.id not in done:
            log.warning("job.taken_away", job=str(ended.claimed.id))
        elif ended.outcome.state == "finished":
            self.successful += 1
        else:
            self.failed += 1

    @override
    async def listen_for_jobs(
        self, *, on_notification: manager.NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Wake `fetch_job` on notices for this worker's queues, and hand the words in them on."""

        def heard(word: str) -> None:
            if word:
                self._on_word(word)
            self._wake.set()

        channels = (f"netpulse:w:{self._queue.worker_id}", f"netpulse:fifo:{self._zone}")
        await listen(self._url, dict.fromkeys(channels, heard), self._wake.set)

    @override
    async def register_worker(self) -> int:
        """A row in procrastinate_workers, which the queue's rows refer to."""
        sql = "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"
        return int(await _until_answered(lambda: self._pool.fetchval(sql)))

    @override
    async def unregister_worker(self, worker_id: int) -> None:
        """Remove that row; the next start's reaper does not need it gone."""
        try:
            await self._pool.execute("DELETE FROM procrastinate_workers WHERE id = $1", worker_id)
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("worker.unregister_failed", error=type(error).__name__)

    @override
    async def update_heartbeat(self, worker_id: int) -> None:
        """Nothing: jobs/heartbeat.py beats, on its own connection, also while the worker drains."""

    @override
    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:
        """Nobody: jobs/chores.py decides who is dead."""
        return []

    @override
    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """None: a client's wish to abort comes as a word."""
        return []


def _as_procrastinate(claimed: Claimed, worker_id: int) -> Job:
    return Job(
        id=claimed.queue_job_id,
        status=Status.DOING.value,
        queue=claimed.queue_name,
        priority=claimed.priority,
        lock=claimed.lock,
        queueing_lock=None,
        task_name="run",
        worker_id=worker_id,
    )
