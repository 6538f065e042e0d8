"""Typing at a persona without a network."""

import asyncio
from collections.abc import Awaitable, Callable

from drivers.lab.countdown import Countdown
from drivers.lab.faults import How
from drivers.lab.persona import Cli, LoggedOut, Persona, Timed
from drivers.lab.terminal import Terminal
from drivers.lab.users import User

_PATIENCE_S = 5
ANN = User("ann", "anns-word")


class Paper:
    """A wire that keeps what is written."""

    def __init__(self) -> None:
        self.text = b""

    def write(self, data: bytes) -> None:
        self.text += data

    async def drain(self) -> None: ...

    def cut(self, how: How) -> None: ...


class Typist:
    """A session on a persona. Call it with a line, and the keys that answer its questions: it returns what is shown."""

    def __init__(self, persona: Persona, user: User = ANN) -> None:
        self._paper = Paper()
        self._terminal = Terminal(self._paper, length=0, echo=False)
        self.cli: Cli = persona.log_in(self._terminal, user)
        self.logged_out = False

    async def __call__(self, line: str, keys: str = "") -> str:
        self._paper.text = b""
        self._terminal.feed(keys.encode())
        try:
            async with asyncio.timeout(_PATIENCE_S):  # a question that no keys answer
                await self.cli.run(line)
        except LoggedOut:
            self.logged_out = True
        await self._terminal.flush()
        return self._paper.text.decode().replace("\r\n", "\n")

    async def all(self, *lines: str) -> str:
        """Several lines; what the last one shows."""
        shown = ""
        for line in lines:
            shown = await self(line)
        return shown


def at(persona: Persona, use: Callable[[Typist], Awaitable[None]], user: User = ANN) -> None:
    """Run a test's coroutine with a session on `persona`."""

    async def run() -> None:
        await use(Typist(persona, user))

    asyncio.run(run())


async def minutes(device: Timed, count: float) -> None:
    """Let as many of the device's minutes pass: timers that were set before and are no longer have run out."""
    over = asyncio.Event()
    Countdown(count, device.minute_ms, over.set)
    await over.wait()
