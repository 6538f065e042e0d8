"""Running one job: unseal, lease a session, talk to the device. Errors travel as exceptions until `run_job` ends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import structlog
from pydantic import BaseModel

from drivers.base import Arguments, Driver, Target
from drivers.errors import AuthenticationFailed, CommandRejected, DriverError, LeaseLost
from jobs.call import Call
from jobs.changes import CHANGING, change, confirm, undo_lost
from jobs.credentials.base import CredentialRef
from jobs.credentials.errors import VaultUnavailable
from jobs.invalid import RequestInvalid, validated
from jobs.lines import Some
from jobs.logs import trace_of
from jobs.options import Options
from jobs.parsing import ParsingRequired, parsed
from jobs.probes import probe
from jobs.queries import query
from jobs.queue import Claimed
from jobs.redaction import secrets_of
from jobs.referrals import stood_in
from jobs.rendering import rendered
from jobs.requests import driver_args
from jobs.results import Cancelled, ErrorType, ExecutionTimeout, Expired, Outcome, Progress
from jobs.tasks import task
from jobs.transfers import download, upload
from jobs.work import Referral, Work
from jobs.world import Running, World

log = structlog.get_logger()

LONGEST_BACKOFF_S = 10.0

OPERATIONS: Mapping[str, Callable[[Call], Awaitable[None]]] = {
    "command": query,
    "config": change,
    "confirm": confirm,
    "upload": upload,
    "download": download,
    "task": task,
    "test": probe,
}
"""What is done with a session, by the job's operation."""


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
            await _work(world, _unseal(world, job, progress), progress)
    except TimeoutError:
        if not scope.expired():
            raise
        if running.asked_to_stop:
            raise Cancelled("Cancelled while it ran; what the device was doing was aborted.") from None
        raise ExecutionTimeout(f"Still running after {job.execution_timeout_s:g} s; the session was closed.") from None
    finally:
        world.running.pop(job.id, None)
        world.logins.forget(job.id)


def _unseal(world: World, job: Claimed, progress: Progress) -> Work:
    driver = world.drivers.get(job.driver)
    if driver is None:
        raise RequestInvalid([{"loc": ["driver"], "msg": "not installed on this worker", "type": "driver"}])
    request = job.request if job.sealed is None else job.request | json.loads(world.seal.open(job.sealed))
    referral = _referral(request)
    login = request["connection_args"] if referral is None else stood_in(request["connection_args"])
    connection = validated(driver.connection_args, login, ("connection_args",))
    progress.secrets = secrets_of(connection)  # what is wrong with the rest may repeat them
    model = driver.config_args if job.operation in CHANGING else driver.query_args
    options = validated(Options, request.get("options", {}), ("options",))
    progress.kept = options.record == "full" or job.operation == "task"  # whose log is read from its jobs
    args = validated(model, driver_args(request.get("driver_args", {}), options), ("driver_args",))
    progress.secrets = secrets_of(connection) | secrets_of(args)
    return Work(
        job=job,
        driver=driver,
        connection=connection,
        target=_target(job, driver, connection),
        lines=_lines(job, request, options),
        args=args,
        options=options,
        request=request,
        referral=referral,
    )


class _Lines(BaseModel):
    """What is sent by a job that may have come by SQL, which looks into none of it."""

    lines: Some


def _target(job: Claimed, driver: Driver, connection: Arguments) -> Target:
    """Raises RequestInvalid where SQL took the request for one to another device: on its own, this job is not alone."""
    target = driver.target(connection)
    if job.sealed is None and target.device_key != job.device_key:
        message = f"lead to {target.device_key}, and the job is for {job.device_key}"
        raise RequestInvalid([{"loc": ["connection_args"], "msg": message, "type": "value_error"}])
    return target


def _referral(request: dict[str, Any]) -> Referral | None:
    ref = request.get("credential_ref")
    return None if ref is None else Referral(validated(CredentialRef, ref, ("credential_ref",)))


def _lines(job: Claimed, request: dict[str, Any], options: Options) -> list[str]:
    """What is sent; nothing yet where a template makes it."""
    plain = job.operation in ("command", "config") and options.rendering is None
    lines: list[str] = request.get(job.operation, []) if plain else []
    return validated(_Lines, {"lines": lines}, (job.operation,)).lines if job.sealed is None and plain else lines


async def _work(world: World, work: Work, progress: Progress) -> None:
    """Render, talk to the device, parse."""
    try:
        await _perform(world, await _rendered(world, work, progress), progress)
    except CommandRejected:
        await _parse(world, work, progress)
        raise
    await _parse(world, work, progress)
    if (wanted := work.options.parsing) and wanted.required:
        failed = [reply for reply in progress.replies if reply.parsing_error]
        if failed:
            raise ParsingRequired(f"{len(failed)} outputs could not be parsed, the first: {failed[0].parsing_error}")


async def _rendered(world: World, work: Work, progress: Progress) -> Work:
    if work.options.rendering is None:
        return work
    source = work.request[work.job.operation]
    progress.rendered, lines = await rendered(world.templates, work.options.rendering, work.job.operation, source)
    return replace(work, lines=lines)


async def _parse(world: World, work: Work, progress: Progress) -> None:
    if (wanted := work.options.parsing) is not None:
        device_type = getattr(work.connection, "device_type", None)
        progress.replies = [await parsed(world.templates, wanted, device_type, reply) for reply in progress.replies]


async def _perform(world: World, work: Work, progress: Progress) -> None:
    """Attempt the job. Again only where the device saw nothing: a held session found dead, or `options.retry`; and once
    with another login, where the one that it refers to was replaced meanwhile.
    """
    retries = 0
    renewed = False
    for attempt in count():
        try:
            work = await _logged_in(world, work, progress)
            await _attempt(world, work, progress)
            return
        except (DriverError, VaultUnavailable) as error:
            if isinstance(error, AuthenticationFailed) and not (renewed or progress.changed):
                renewed = True
                if (again := await world.logins.renewed(work)) is not None:
                    work = again
                    continue
            if progress.undo_on_new_session:
                await undo_lost(world, work, progress)
            if progress.changed:
                raise
            stale = bool(progress.session_reused) and attempt == 0
            if not error.repeatable or not (stale or work.job.attempts + retries < work.job.max_attempts):
                raise
            if not stale:
                retries += 1
                progress.extra_attempts = retries
                await asyncio.sleep(min(2.0 ** (retries - 1), LONGEST_BACKOFF_S))
            progress.replies.clear()


async def _logged_in(world: World, work: Work, progress: Progress) -> Work:
    """`work` with its login. Raises CredentialError, VaultUnavailable."""
    work = await world.logins.resolved(work)
    progress.secrets = secrets_of(work.connection) | secrets_of(work.args)
    return work


async def _attempt(world: World, work: Work, progress: Progress) -> None:
    progress.session_reused = None
    keep = work.job.strategy == "pinned"
    began = time.monotonic()
    async with world.sessions.lease(work.target, world.guard, keep=keep) as lease:
        progress.session_reused = lease.reused
        view = work.driver.view(lease.session, work.connection)
        call = Call(world, work, progress, lease, view, login_s=time.monotonic() - began)
        await OPERATIONS[work.job.operation](call)
