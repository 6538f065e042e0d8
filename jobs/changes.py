"""Making a change, with checks before and after it, and a way back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import cast
from uuid import UUID

from drivers.base import Change, ChangeArguments, ConfigSession, Reply, Report
from drivers.errors import CommandRejected, DriverError, LeaseLost
from jobs.call import Call
from jobs.checks import Check, CheckFailed
from jobs.parsing import parsed
from jobs.results import Progress, Rollback
from jobs.work import Work
from jobs.world import World

CHANGING = ("config", "confirm")
"""Operations whose `driver_args` are those of a change."""


def change_name(job_id: UUID) -> str:
    """What the change of a job is called on its device."""
    return f"np{job_id.hex[-12:]}"


async def change(call: Call) -> None:
    """Check, change, check; undo where asked. Raises CheckFailed, and what the session raises."""
    checks, plan = call.work.options.checks, _plan(call.work)
    await _check(call, checks.before if checks else [], "before")
    await _begin(call)
    began = time.monotonic()
    try:
        call.progress.difference = await call.do(_session(call).apply_config, plan, _reporter(call))
        if plan.args.dry_run:
            return
        call.progress.changed = True
        call.progress.undo_on_new_session = plan.undoable
        await _check(call, checks.after if checks else [], "after")
        call.progress.undo_on_new_session = False
    except (CommandRejected, CheckFailed):
        call.progress.undo_on_new_session = False
        await _undo(call, plan)
        raise
    if plan.undoable:
        await call.do(_session(call).keep, plan, call.reporter("after"))
    if plan.args.revert_in is not None:
        call.progress.confirm_in_s = plan.args.revert_in - (time.monotonic() - began)


async def confirm(call: Call) -> None:
    """Confirm the change of another job, which was made with `revert_in`."""
    args = call.work.args
    assert isinstance(args, ChangeArguments)
    confirmed = Change((), args, change_name(UUID(call.work.request["confirm"])))
    call.progress.wrote_change = True  # it is not known what becomes of it if the answer is lost
    await call.do(_session(call).confirm, confirmed, call.reporter())


async def undo_lost(world: World, work: Work, progress: Progress) -> None:
    """The session broke off after the change and before it was known to be good: undo it on another one."""
    progress.undo_on_new_session = False
    progress.rollback = Rollback.FAILED  # until it is done, whatever cuts it off
    with suppress(DriverError):  # no session: the first error is the job's
        async with world.sessions.lease(work.target, world.guard, keep=False) as lease:
            call = Call(world, work, progress, lease, work.driver.view(lease.session, work.connection))
            await _undo(call, _plan(work))


def _plan(work: Work) -> Change:
    assert isinstance(work.args, ChangeArguments)
    undo = work.options.undoes and not work.args.dry_run and work.capabilities.rollback
    return Change(work.lines, work.args, change_name(work.job.id), undoable=undo)


async def _begin(call: Call) -> None:
    """From here on nobody may run this change again: durable before the first byte."""
    progress = call.progress
    if not progress.wrote_change and not cast(ChangeArguments, call.work.args).dry_run:
        progress.wrote_change = await call.world.queue.start(call.work.job.id)
        if not progress.wrote_change:
            raise LeaseLost("the job was taken away from this worker before anything was written")


def _reporter(call: Call) -> Report:
    """With nothing to come after the lines, the last of them is written by the job's end."""
    alone = call.work.options.checks is None
    return call.reporter(last=len(call.work.lines) if alone else None)


async def _check(call: Call, checks: Sequence[Check], phase: str) -> None:
    """Run the commands of `checks`, all of them, then judge."""
    if not checks:
        return
    replies: list[Reply] = []
    first = len(call.progress.replies)
    report = call.reporter(phase)

    def hear(reply: Reply) -> None:
        replies.append(reply)
        report(reply)

    try:
        await call.do(call.session.run_commands, [c.command for c in checks], call.work.driver.query_args(), hear)
    except CommandRejected as error:
        raise CheckFailed(f"A check {phase} the change could not be made: {error}") from error
    complaints = []
    for number, (check, reply) in enumerate(zip(checks, replies, strict=True), first):
        read = await _read(call, check, reply)
        call.progress.replies[number] = replace(call.progress.redacted(read), phase=phase)
        complaints.append(check.complaint(read))
    if found := [complaint for complaint in complaints if complaint]:
        raise CheckFailed(f"{len(found)} of {len(checks)} checks {phase} the change failed: {found[0]}.")


async def _read(call: Call, check: Check, reply: Reply) -> Reply:
    """The answer to a check, with the records that it asks about."""
    if check.parsing is None:
        return reply
    return await parsed(call.world.templates, check.parsing, getattr(call.work.connection, "device_type", None), reply)


async def _undo(call: Call, plan: Change) -> None:
    """Undo the change, and note how that went."""
    progress = call.progress
    if not call.work.options.undoes or plan.args.dry_run:
        return
    if not plan.undoable:
        progress.rollback = Rollback.IMPOSSIBLE
        return
    progress.rollback = Rollback.FAILED  # until it is done, whatever cuts it off
    with suppress(DriverError):  # what was to be undone is what the job is about
        await call.do(_session(call).undo, plan, call.reporter("undo"))
        progress.rollback = Rollback.DONE


def _session(call: Call) -> ConfigSession:
    return cast(ConfigSession, call.session)
