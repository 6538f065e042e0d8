"""procrastinate's JobManager on our own SQL functions.

procrastinate keeps the queue's table, the defer function and the Worker; fetching and finishing are ours
(docs/decisions/0002): its own fetch wakes nobody when a device becomes free, and ends the worker on a database error.
Listening is the worker's own too (jobs/words.py): the Worker would stop listening when it begins to drain.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import structlog
from procrastinate import connector, manager
from procrastinate.jobs import Job, Status
from typing_extensions import override

from drivers.base import Strategy
from jobs.database import LOST
from jobs.logs import trace_of
from jobs.queue import RETRY_S, Claimed, JobQueue, WorkerDead
from jobs.results import Outcome

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Ended:
    claimed: Claimed
    outcome: Outcome
    stored: asyncio.Future[bool]

    @property
    def size(self) -> int:
        """Characters of output, about."""
        return sum(len(reply.stdout) + len(reply.stderr) for reply in self.outcome.outputs)


class PinnedJobManager(manager.JobManager):
    """Batch claims with a wake-up of their own, and finishes that share a statement.

    `fetch_job` blocks until there is a job. It never raises for a database error: that would end the Worker.
    """

    RECONCILE_S = 5.0
    MOST_CLAIMED = 32
    MOST_STORED = 8_000_000

    def __init__(
        self,
        unused: connector.BaseConnector,
        queue: JobQueue,
        *,
        poll_s: float,
        concurrency: int,
        on_dead: Callable[[], None],
    ) -> None:
        """`concurrency`: jobs that may run at once. `on_dead`: PostgreSQL called us dead."""
        super().__init__(unused)
        self._queue = queue
        self._poll_s = poll_s
        self._concurrency = concurrency
        self._on_dead = on_dead
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._claimed: deque[Claimed] = deque()
        self._running: dict[int, Claimed] = {}
        self._devices: set[str] | None = None  # where a job may wait for a device that is free; None: anywhere
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

    def wake(self, devices: Iterable[str] | None = None) -> None:
        """There may be something to fetch: fifo jobs, and pinned ones for `devices` (None: for any)."""
        self._look_at(devices)
        self._wake.set()

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
                self._look_at(None)
        return None

    async def give_back(self) -> None:
        """After `stop`: return to the queue what was claimed and has not begun. Raises what the database does."""
        async with self._claiming:
            for claimed in self._claimed:
                del self._running[claimed.queue_job_id]
            self._claimed.clear()
            await self._queue.reconcile([claimed.id for claimed in self._running.values()])

    async def _claim(self, queue_worker: int) -> bool:
        """Claim as many as may start at once; False if there was nothing."""
        async with self._claiming:
            return not self._stopping.is_set() and await self._claim_now(queue_worker)

    def _look_at(self, devices: Iterable[str] | None) -> None:
        """The next claim looks there too."""
        if devices is None:
            self._devices = None
        elif self._devices is not None:
            self._devices.update(devices)

    async def _claim_now(self, queue_worker: int) -> bool:
        """After an error or every few seconds, reconcile first, and look everywhere: a notice may have got lost."""
        now = asyncio.get_running_loop().time()
        try:
            if self._in_doubt or now - self._reconciled > self.RECONCILE_S:
                self._look_at(None)
                known = [claimed.id for claimed in self._running.values()]
                if count := await self._queue.reconcile(known):
                    log.warning("jobs.reconciled", count=count)
                self._in_doubt, self._reconciled = False, now
            limit = min(self.MOST_CLAIMED, self._concurrency - len(self._running))  # claimed is started at once
            devices, self._devices = self._devices, set()  # what comes during the query is for the next one
            jobs = await self._queue.claim(queue_worker, limit, self._fifo_slots(), devices)
        except WorkerDead:
            self._on_dead()
            self.stop()
            return False
        except (*LOST, asyncpg.PostgresError) as error:
            # The claim may have been committed and its reply lost.
            self._in_doubt = True
            log.warning("claim.failed", error=type(error).__name__)
            await asyncio.sleep(RETRY_S)
            self._wake.set()  # again, without waiting for a notice
            return False
        if len(jobs) == limit:
            self._look_at(devices)  # there may be more
        self._claimed.extend(jobs)
        self._running.update({job.queue_job_id: job for job in jobs})
        return bool(jobs)

    def _fifo_slots(self) -> int:
        """Fifo jobs get at most half of the slots: a flood of them must not hold up devices whose sessions are warm."""
        running = sum(claimed.strategy == Strategy.FIFO for claimed in self._running.values())
        return max((self._concurrency + 1) // 2 - running, 0)

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
        if await ended.stored:
            del self._running[job.id]
            self.wake([job.lock] if job.lock else ())  # the device is free, and so is a slot

    async def _flush(self) -> None:
        """Store what has ended; what ends meanwhile goes into the next statement."""
        try:
            while self._ended:
                await self._store(self._next_batch())
        finally:
            self._flushing = None

    def _next_batch(self) -> list[_Ended]:
        """As many as make a statement that PostgreSQL answers soon, but at least one."""
        batch: list[_Ended] = []
        size = 0
        while self._ended and (not batch or size + self._ended[0].size <= self.MOST_STORED):
            ended = self._ended.pop(0)
            size += ended.size
            batch.append(ended)
        return batch

    async def _store(self, batch: list[_Ended]) -> None:
        try:
            done: set[UUID] | None = await self._queue.finish([(ended.claimed, ended.outcome) for ended in batch])
        except Exception as error:  # noqa: BLE001 - whatever it was, the jobs waiting for these futures must hear of it
            log.error("results.refused", jobs=len(batch), trace=trace_of(error))
            self._on_dead()  # they cannot be ended from here: the reaper will judge them
            done = None
        for ended in batch:
            if done is not None:
                self._count(ended, done)
            if not ended.stored.done():
                ended.stored.set_result(done is not None)

    def _count(self, ended: _Ended, done: set[UUID]) -> None:
        if ended.claimed.id not in done:
            log.warning("job.taken_away", job=str(ended.claimed.id))
        elif ended.outcome.state == "finished":
            self.successful += 1
        else:
            self.failed += 1

    @override
    async def register_worker(self) -> int:
        """The row in procrastinate_workers that came with the worker's registration."""
        return await self._queue.queue_worker()

    @override
    async def unregister_worker(self, worker_id: int) -> None:
        """Nothing: reap_worker removes the row, however the worker ended."""

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
