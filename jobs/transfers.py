"""Bringing files to devices and from them. A transfer whose session breaks off goes on over another one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast
from uuid import UUID

from drivers.base import FileSession, Transfer
from drivers.errors import LeaseLost, ReplyTimeout, SessionLost, Unreachable
from jobs.call import Call
from jobs.content import GrowingFile, KeptFile, Loop
from jobs.execute import transfer_of
from jobs.storage import shown_name

MOST_RESUMPTIONS = 5
PAUSE_S = 0.5
"""After a login that failed; each further one doubles it."""

_INTERRUPTIONS = (SessionLost, ReplyTimeout, Unreachable)


async def upload(call: Call) -> None:
    """Bring the request's stored file to the device."""
    file = call.work.request["file"]
    loop = Loop(call.world, call.session)
    source = KeptFile(loop, call.world, UUID(file["id"]), file["size_bytes"], file["sha256"])

    async def carry(attempt: Call) -> None:
        session = cast(FileSession, attempt.session)
        await attempt.do(session.upload, _transfer(attempt), source, attempt.reporter(last=1))

    await _until_whole(call, loop, carry, lambda: source.furthest)


async def download(call: Call) -> None:
    """Bring a file from the device to the store."""
    name = shown_name(_transfer(call).remote_path)
    queue, job_id = call.world.queue, call.work.job.id
    file_id = await queue.ask("SELECT netpulse.open_download($1, $2, $3)", queue.worker_id, job_id, name)
    if file_id is None:
        raise LeaseLost("the job was taken away from this worker")
    loop = Loop(call.world, call.session)
    sink = GrowingFile(loop, call.world, job_id)
    await call.do(sink.resume, file_id)

    async def carry(attempt: Call) -> None:
        session = cast(FileSession, attempt.session)
        await attempt.do(session.download, _transfer(attempt), sink, attempt.reporter(last=1))
        await attempt.do(sink.finish)

    await _until_whole(call, loop, carry, lambda: sink.size)


async def _until_whole(
    call: Call, loop: Loop, carry: Callable[[Call], Awaitable[None]], moved: Callable[[], int]
) -> None:
    """Carry over the job's session, then over new ones: MOST_RESUMPTIONS at the most, none after a session that moved
    nothing. Raises what the last one raised.
    """
    before = moved()
    try:
        return await carry(call)
    except _INTERRUPTIONS as error:
        interruption = error
    call.lease.session.abort()  # it may look alive after a timeout, and must not be lent again
    for resumption in range(MOST_RESUMPTIONS):
        if moved() == before and not isinstance(interruption, Unreachable):
            break
        before = moved()
        call.progress.extra_attempts += 1
        if isinstance(interruption, Unreachable):
            await asyncio.sleep(PAUSE_S * 2 ** (resumption - 1))
        try:
            return await _carry_on(call, loop, carry)
        except _INTERRUPTIONS as error:
            interruption = error
    raise interruption


async def _carry_on(call: Call, loop: Loop, carry: Callable[[Call], Awaitable[None]]) -> None:
    """Over a session of its own."""
    world, work = call.world, call.work
    async with world.sessions.lease(work.target, world.guard, keep=False) as lease:
        loop.session = lease.session
        await carry(replace(call, lease=lease, session=work.driver.view(lease.session, work.connection)))


def _transfer(call: Call) -> Transfer:
    wishes = transfer_of(call.work.args)
    assert wishes is not None
    return Transfer(wishes.remote_path, call.work.args, overwrite=wishes.overwrite)
