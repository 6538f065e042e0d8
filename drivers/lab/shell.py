"""One session: read a line, record it, let faults strike, let the persona answer."""

import asyncio
from collections.abc import Callable

from drivers.lab.device import Device
from drivers.lab.faults import Ask, Huge, NonUtf8, PromptChange, Slow, Struck
from drivers.lab.persona import Exits, LoggedOut, Rebooting
from drivers.lab.record import Ending, Entry, Journal
from drivers.lab.scp import Files, Scp
from drivers.lab.shape import Bent, filler
from drivers.lab.terminal import HungUp, Terminal, Typed
from drivers.lab.users import User


class Shell:
    """A session of `user` on `device`, on a terminal."""

    def __init__(self, device: Device, journal: Journal, terminal: Terminal, user: User, number: int) -> None:
        self._device, self._journal, self._terminal, self._user = device, journal, terminal, user
        self._number = number
        self._cli = device.persona.log_in(terminal, user)
        terminal.on_answer = self._record_answer

    async def run(self) -> int:
        """Serve until the user logs out, the device restarts or the client is gone."""
        self._journal.session(self._device.name, 1)
        try:
            await self._greet()
            while True:
                typed = await self._terminal.read_line(helper=self._helper())
                await self._recorded(typed)
        except (LoggedOut, HungUp):
            pass
        except Rebooting:
            self._device.restart()
        finally:
            self._cli.log_out()
            self._journal.session(self._device.name, -1)
        return self._status()

    async def run_once(self, line: str) -> int:
        """Obey one line without a prompt, as `ssh device "show version"` does; return its exit status."""
        self._journal.session(self._device.name, 1)
        try:
            self._terminal.echo, self._terminal.length = False, 0
            if isinstance(self._cli, Exits):  # a program's output, not a screen's
                self._terminal.newline = "\n"
            await self._recorded(Typed(line), prompt=False)
        except (LoggedOut, HungUp):
            pass
        except Rebooting:
            self._device.restart()
        finally:
            self._cli.log_out()
            self._journal.session(self._device.name, -1)
        return self._status()

    async def run_scp(self, line: str, files: Files, reader: asyncio.StreamReader) -> int:
        """Send or take a file instead; return the exit status. Nothing that comes is recorded but the line."""
        self._journal.session(self._device.name, 1)
        entry, status = self._begin(line), 1
        ending: Ending = "lost"
        try:
            struck = self._device.faults.strike_line(line)
            status = await Scp(files, self._user, reader, self._terminal.wire, struck).run(line)
            ending = "done"
        except HungUp:
            pass
        finally:
            self._journal.end(entry, ending)
            self._cli.log_out()
            self._journal.session(self._device.name, -1)
        return status

    def _helper(self) -> Callable[[str], str] | None:
        """What `?` does: nothing in a shell, where it is a character like any other."""
        return None if isinstance(self._cli, Exits) else self._cli.help

    def _status(self) -> int:
        """The session's exit status, where the platform has such a thing."""
        return self._cli.status if isinstance(self._cli, Exits) else 0

    async def _greet(self) -> None:
        self._bend(self._device.faults.strike_line(""))
        self._terminal.write(self._cli.greeting() + self._cli.prompt())
        await self._terminal.flush()

    async def _recorded(self, typed: Typed, *, prompt: bool = True) -> None:
        entry = self._begin(typed.text)
        ending: Ending = "lost"
        try:
            await self._obey(typed, prompt=prompt)
            ending = "done"
        except (LoggedOut, Rebooting):
            await self._terminal.flush()
            ending = "done"
            raise
        finally:
            self._journal.end(entry, ending)

    def _begin(self, line: str) -> Entry:
        return self._journal.begin(self._device.name, self._number, self._user.name, self._cli.mode, line)

    def _record_answer(self, line: str) -> None:
        name, mode = self._user.name, self._cli.mode
        entry = self._journal.begin(self._device.name, self._number, name, mode, line, "answer")
        self._journal.end(entry, "done")

    async def _obey(self, typed: Typed, *, prompt: bool) -> None:
        struck = self._device.faults.strike_line(typed.text)
        bent = await self._strike(struck) if struck else None
        if not await self._called_off(struck):
            await self._answer(typed)
        for huge in struck.all(Huge):
            await self._terminal.show(filler(huge.size_bytes))
        if bent is not None:
            await self._terminal.flush()
            await bent.finish(self._terminal.wire)
        if prompt:
            change = struck.first(PromptChange)
            self._terminal.write(change.prompt if change else self._cli.prompt())
        await self._terminal.flush()
        self._terminal.shape = None

    async def _answer(self, typed: Typed) -> None:
        if typed.end == "return":
            await self._cli.run(typed.text)
        else:
            await self._cli.interrupt(typed.text, obey=typed.end == "ctrl-z")

    async def _strike(self, struck: Struck) -> Bent:
        """Let the faults have their way up to the output. The echo has gone out, as it would have."""
        self._terminal.shape = None
        await self._terminal.flush()
        for slow in struck.all(Slow):
            await asyncio.sleep(slow.delay_ms / 1000)
        bent = self._bend(struck)
        for fault in struck.all(NonUtf8):
            self._terminal.write_raw(bytes.fromhex(fault.raw_hex) + b"\r\n")
        return bent

    def _bend(self, struck: Struck) -> Bent:
        bent = Bent(struck)
        self._terminal.shape = bent if struck else None
        return bent

    async def _called_off(self, struck: Struck) -> bool:
        for fault in struck.all(Ask):
            if (await self._terminal.ask(fault.question)).lower().startswith("n"):
                return True
        return False
