"""What workers do about detached tasks: commands that run on their host whatever becomes of the session."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from drivers.base import Reply, TaskSession, TaskState, Verdict
from drivers.errors import LeaseLost
from jobs.call import Call
from jobs.task_logs import redacted, tell_log, whole_letters

LOOK_AGAIN_S = 1.0
"""While a client waits for more log, the host is asked this often."""


async def task(call: Call) -> None:
    """Do what the job's request asks of its task. Raises what the session raises."""
    wish = call.work.request["task"]
    began, clock = datetime.now(UTC), time.monotonic()
    log, facts = await _ACTIONS[wish["action"]](call, wish)
    said = Reply(
        f"{wish['action']} {wish['id']}", log, Verdict.DONE, began, time.monotonic() - clock, "", None, parsed=facts
    )
    call.reporter(last=1)(said)


async def _start(call: Call, wish: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    [command] = call.work.request["command"]
    await call.do(_session(call).start_task, wish["id"], command, call.work.args)
    state = TaskState("running")
    await _note(call, wish, state, state.state)
    return "", {"state": state.state}


async def _look(call: Call, wish: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Its state and a piece of its log; with `wait_s`, as soon as there is more, or it has ended."""
    deadline = time.monotonic() + wish.get("wait_s", 0)
    offset, size = wish.get("offset", 0), wish.get("size", 0)
    state = await _seen(call, wish, offset, size)
    while not state.log and state.state == "running" and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_AGAIN_S)
        state = await _seen(call, wish, offset, size)
    await _note(call, wish, state, state.state)
    await tell_log(call, wish["id"])
    return _told(state, offset, call.progress.secrets)


async def _stop(call: Call, wish: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """End it; one that has ended by itself stays as it ended."""
    state = await _seen(call, wish, 0, 0)
    name: str = state.state
    if name == "running":
        state = await call.do(_session(call).stop_task, wish["id"], call.work.args)
        name = "stopped" if state.state != "running" else name
    await _note(call, wish, state, name)
    await tell_log(call, wish["id"])
    return "", {"state": name, "exit_status": state.exit_status, "log_size": state.log_size}


async def _forget(call: Call, wish: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    await tell_log(call, wish["id"])
    await call.do(_session(call).forget_task, wish["id"], call.work.args)
    await _note(call, wish, TaskState("lost"), "lost", forgotten=True)
    return "", {}


_ACTIONS: Mapping[str, Callable[[Call, dict[str, Any]], Awaitable[tuple[str, dict[str, Any]]]]] = {
    "start": _start,
    "look": _look,
    "stop": _stop,
    "forget": _forget,
}


async def _seen(call: Call, wish: dict[str, Any], offset: int, size: int) -> TaskState:
    session = _session(call)
    return await call.do(session.look_at_task, wish["id"], call.work.args, offset=offset, size=size)


async def _note(call: Call, wish: dict[str, Any], state: TaskState, name: str, *, forgotten: bool = False) -> None:
    queue = call.world.queue
    sql = "SELECT netpulse.see_task($1, $2, $3, $4, $5, $6, $7)"
    seen = (wish["id"], name, state.exit_status, state.log_size, forgotten)
    if not await queue.ask(sql, queue.worker_id, call.work.job.id, *seen):
        raise LeaseLost("the job was taken away from this worker")


def _told(state: TaskState, offset: int, secrets: Collection[str]) -> tuple[str, dict[str, Any]]:
    """The log as text, and all that was seen. Where text cannot hold every byte, they are there in base64 too."""
    ended = state.state != "running" and offset + len(state.log) >= state.log_size
    log = state.log if ended else state.log[: whole_letters(state.log)]
    facts: dict[str, Any] = {
        "state": state.state,
        "exit_status": state.exit_status,
        "log_size": state.log_size,
        "next_offset": offset + len(log),
    }
    log = redacted(log, secrets)
    text = log.decode(errors="replace")
    if text.encode() != log or b"\0" in log:
        facts["log_base64"] = base64.b64encode(log).decode()
    return text, facts


def _session(call: Call) -> TaskSession:
    return cast(TaskSession, call.session)
