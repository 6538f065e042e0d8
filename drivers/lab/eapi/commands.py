"""The commands of one request: recorded, struck by faults, obeyed."""

import asyncio
from typing import Any

from drivers.lab.device import Device
from drivers.lab.eapi import rpc
from drivers.lab.eapi.persona import ApiPersona, CallFailed
from drivers.lab.eapi.wire import Connection
from drivers.lab.faults import Ask, Huge, NonUtf8, OneByte, Slow, Struck
from drivers.lab.persona import Rebooting
from drivers.lab.record import Ending, Entry, Journal
from drivers.lab.shape import Bent, filler
from drivers.lab.users import User


class Commands:
    """Runs the commands of one request of `user`. `one_byte` says how its answer is to be sent."""

    def __init__(
        self, device: Device, journal: Journal, persona: ApiPersona, user: User, connection: Connection
    ) -> None:
        self._device, self._journal, self._user, self._connection = device, journal, user, connection
        self._call, self._session = persona.call(user), journal.next_session()
        self._call.on_answer(self._record_answer)
        self.one_byte: OneByte | None = None

    async def run(self, call: rpc.Call) -> dict[str, Any]:
        """Run one after the other up to the first that fails. Raises Rebooting, or HungUp when a fault hangs up."""
        self._journal.session(self._device.name, 1)
        replies: list[dict[str, Any]] = []
        try:
            for line in call.lines:
                replies.append(await self._recorded(call, line))  # noqa: PERF401 what ran before a failure is told
        except CallFailed as failed:
            return rpc.failure(call, replies, failed.code, failed.phrase, failed.said)
        finally:
            self._call.log_out()
            self._journal.session(self._device.name, -1)
        return rpc.result(call, replies)

    async def _recorded(self, call: rpc.Call, line: rpc.Line) -> dict[str, Any]:
        entry = self._begin(line.text)
        ending: Ending = "lost"
        try:
            reply = await self._obey(call, line)
            ending = "done"
        except (CallFailed, Rebooting):
            ending = "done"
            raise
        finally:
            self._journal.end(entry, ending)
        return reply

    def _begin(self, line: str) -> Entry:
        return self._journal.begin(self._device.name, self._session, self._user.name, self._call.mode, line)

    def _record_answer(self, line: str) -> None:
        name, mode = self._user.name, self._call.mode
        entry = self._journal.begin(self._device.name, self._session, name, mode, line, "answer")
        self._journal.end(entry, "done")

    async def _obey(self, call: rpc.Call, line: rpc.Line) -> dict[str, Any]:
        struck = self._device.faults.strike_line(line.text)
        for slow in struck.all(Slow):
            await asyncio.sleep(slow.delay_ms / 1000)
        if ask := struck.first(Ask):
            raise self._call.prompted(ask.question)
        reply = await self._call.run(line.text, line.given, as_text=call.as_text, complete=call.complete)
        self.one_byte = self.one_byte or struck.first(OneByte)
        await self._break_off(struck)
        return _swollen(reply, struck, as_text=call.as_text)

    async def _break_off(self, struck: Struck) -> None:
        """Let the head of the answer go, and nothing after it: for good, or until the fault lets go."""
        if struck.breaker() is None:
            return
        if not self._connection.has_begun:
            self._connection.begin(200, [("Content-Type", "application/json")])
        await self._connection.drain()
        await Bent(struck).finish(self._connection)


def _swollen(reply: dict[str, Any], struck: Struck, *, as_text: bool) -> dict[str, Any]:
    """The reply with what `Huge` and `NonUtf8` put into it: into its text, or as keys of its own."""
    before = "".join(rpc.raw_text(bytes.fromhex(fault.raw_hex)) + "\n" for fault in struck.all(NonUtf8))
    after = "".join(block for fault in struck.all(Huge) for block in filler(fault.size_bytes))
    if as_text:
        return {"output": before + reply["output"] + after}
    return {**reply, **({"labBytes": before} if before else {}), **({"labFiller": after} if after else {})}
