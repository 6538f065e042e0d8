"""Running one job: unseal, lease a session, talk to the device. Errors travel as exceptions until `run_job` ends."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

import asyncpg
import structlog

from drivers.base import Arguments, Driver, Guard, Reply, Target
from drivers.errors import DriverError, LeaseLost
from drivers.pool import SessionPool
from jobs.logs import trace_of
from jobs.queue import Claimed, JobQueue
from jobs.redaction import secrets_of
from jobs.results import Cancelled, ErrorType, ExecutionTimeout, Expired, Outcome, Progress, output_row
from jobs.seal import Seal

log = structlog.get_logger()

LONGEST_BACKOFF_S = 10.0


@dataclass(frozen=True)
class World:
    """What a job needs, built once in the worker's main."""

    drivers: Mapping[str, Driver]
    sessions: SessionPool
    seal: Seal
    queue: JobQueue
    guard: Guard
    running: dict[UUID, Running] = field(default_factory=dict)
    called_off: deque[UUID] = field(default_factory=lambda: deque(maxlen=1000))
    """Jobs that were to be stopped when they were not running here: claimed, perhaps, and about to."""

    def stop(self, job_id: UUID) -> None:
        """Abort a job, also one that starts a moment later."""
        if job_id in self.running:
            self.running[job_id].stop()
        elif job_id not in self.called_off:
            self.called_off.append(job_id)


@dataclass
class Running:
    """A job under way, as somebody who wants to stop it sees it."""

    scope: asyncio.Timeout
    asked_to_stop: bool = False

    def stop(self) -> None:
        """Abort the job; it ends as `cancelled` once its device I/O has stopped."""
        if self.scope.expired():  # asked before, or out of time: it is being aborted already
            return
        self.asked_to_stop = True
        self.scope.reschedule(asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed job, unsealed and validated again."""

    job: Claimed
    target: Target
    lines: list[str]
    args: Arguments


async def run_job(world: World, job: Claimed) -> Outcome:
    """Run one job to its end.

    Raises LeaseLost if the job is no longer this worker's to end, and CancelledError when the worker shuts down.
    """
    progress = Progress()
    try:
        await _within_limits(world, job, progress)
    except LeaseLost:
        raise
    except Exception as error:  # noqa: BLE001 - the one place where an error becomes a result, whatever it is
        outcome = progress.failed(error)
        log.info("job.failed", job=str(job.id), device=job.device_key, error=outcome.error_type)
        if outcome.error_type is ErrorType.DRIVER_FAULT and not isinstance(error, DriverError):
            log.error("job.fault", job=str(job.id), trace=trace_of(error))
        return outcome
    return progress.finished()


async def _within_limits(world: World, job: Claimed, progress: Progress) -> None:
    if job.expired:
        saw = "the device was not touched" if job.attempts == 1 else "an earlier worker was lost while it ran it"
        raise Expired(f"The job waited longer than its time to live; {saw}.")
    if job.id in world.called_off:
        raise Cancelled("Cancelled before it began; the device was not touched.")
    try:
        async with asyncio.timeout(job.execution_timeout_s) as scope:
            world.running[job.id] = running = Running(scope)
            await _perform(world, _unseal(world, job, progress), progress)
    except TimeoutError:
        if not scope.expired():
            raise
        if running.asked_to_stop:
            raise Cancelled("Cancelled while it ran; what the device was doing was aborted.") from None
        raise ExecutionTimeout(f"Still running after {job.execution_timeout_s:g} s; the session was closed.") from None
    finally:
        world.running.pop(job.id, None)


def _unseal(world: World, job: Claimed, progress: Progress) -> Work:
    driver = world.drivers[job.driver]
    request = job.request | json.loads(world.seal.open(job.sealed))
    connection = driver.connection_args.model_validate(request["connection_args"])
    progress.secrets = secrets_of(connection)
    model = driver.config_args if job.operation == "config" else driver.query_args
    return Work(
        job=job,
        target=driver.target(connection),
        lines=request[job.operation],
        args=model.model_validate(request.get("driver_args", {})),
    )


async def _perform(world: World, work: Work, progress: Progress) -> None:
    """Attempt the job. Again only where the device saw nothing: a held session found dead, or `options.retry`."""
    retries = 0
    for attempt in count():
        try:
            await _attempt(world, work, progress)
            return
        except DriverError as error:
            stale = bool(progress.session_reused) and attempt == 0
            if not error.repeatable or not (stale or work.job.attempts + retries < work.job.max_attempts):
                raise
            if not stale:
                retries += 1
                progress.extra_attempts = retries
                await asyncio.sleep(min(2.0 ** (retries - 1), LONGEST_BACKOFF_S))
            progress.replies.clear()


async def _attempt(world: World, work: Work, progress: Progress) -> None:
    progress.session_reused = None
    keep = work.job.strategy == "pinned"
    async with world.sessions.lease(work.target, world.guard, keep=keep) as lease:
        progress.session_reused = lease.reused
        report = _reporter(world.queue, work, progress)
        if work.job.operation == "command":
            await lease.call(lease.session.run_commands, work.lines, work.args, report)
            return
        if not progress.wrote_change:
            # From here on nobody may run this change again: durable before the first byte.
            progress.wrote_change = await world.queue.start(work.job.id)
            if not progress.wrote_change:
                raise LeaseLost("the job was taken away from this worker before anything was written")
        await lease.call(lease.session.apply_config, work.lines, work.args, report)


def _reporter(queue: JobQueue, work: Work, progress: Progress) -> Callable[[Reply], None]:
    """What the session's thread calls as each command ends: keeps the reply, and writes it if the job goes on."""
    loop = asyncio.get_running_loop()
    recorder = Recorder(queue, work.job.id, progress)

    def report(reply: Reply) -> None:
        progress.add(reply)
        if len(progress.replies) < len(work.lines):
            loop.call_soon_threadsafe(recorder.note)

    return report


class Recorder:
    """Writes the outputs of a job that goes on: one statement at a time, with all that came since the last one."""

    def __init__(self, queue: JobQueue, job_id: UUID, progress: Progress) -> None:
        self._queue = queue
        self._job_id = job_id
        self._progress = progress
        self._recorded = 0
        self._writing: asyncio.Task[None] | None = None

    def note(self) -> None:
        """There are new replies. What this does not get to, the end of the job writes."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while new := self._progress.replies[self._recorded :]:
            rows = [output_row(self._job_id, self._recorded + i, reply) for i, reply in enumerate(new)]
            self._recorded += len(new)
            try:
                if not await self._queue.record(self._job_id, rows):
                    return
            except asyncpg.PostgresError as error:  # the end of the job writes it again, and copes with a refusal
                log.warning("job.output_refused", job=str(self._job_id), error=type(error).__name__)
