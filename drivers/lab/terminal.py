"""One session's terminal: what is typed, what is shown, a page at a time. Knows no network and no platform."""

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from drivers.lab.faults import How

Output = str | Iterable[str]
End = Literal["return", "ctrl-c", "ctrl-z"]

_PLAIN = re.compile(rb"[^\x00-\x1f\x7f?]+")
_BLOCK_BYTES = 65_536
_MORE = " --More-- "
_UNMORE = "\b" * 9 + " " * 8 + "\b" * 9
_ENDS: dict[int, tuple[End, bytes]] = {
    0x0D: ("return", b"\r\n"),
    0x0A: ("return", b"\r\n"),
    0x03: ("ctrl-c", b"^C\r\n"),
    0x1A: ("ctrl-z", b"^Z\r\n"),
}


class HungUp(Exception):
    """The client is gone, or was sent away."""


class Wire(Protocol):
    """The connection below a terminal."""

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None:
        """Return when there is room for more."""

    def cut(self, how: How) -> None:
        """Close the TCP connection at once, without a goodbye."""


class Shape(Protocol):
    """Something that stands between the terminal and its wire, such as a fault."""

    async def send(self, data: bytes, wire: Wire) -> None: ...


@dataclass(frozen=True, slots=True)
class Typed:
    """A line that was typed, and the key that ended it."""

    text: str
    end: End = "return"


class Terminal:
    """Echo, line editing, questions and paging over a `Wire`.

    Output gathers until someone waits for input (or calls `flush`), so a command costs one packet. `length` 0 shows
    everything at once.
    """

    def __init__(self, wire: Wire, *, length: int = 24, width: int = 80, echo: bool = True) -> None:
        self.wire, self.length, self.width, self.echo = wire, length, width, echo
        self.newline = "\r\n"
        self.shape: Shape | None = None
        self.on_answer: Callable[[str], None] = lambda _: None
        self._typed, self._shown = bytearray(), bytearray()
        self._more_typed: asyncio.Future[None] | None = None
        self._after_cr = self._closed = False

    def feed(self, data: bytes) -> None:
        """Bytes have come from the client."""
        self._typed += data
        self._wake()

    def hang_up(self) -> None:
        """Nothing more will come; what is typed already still counts."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._more_typed is not None and not self._more_typed.done():
            self._more_typed.set_result(None)

    async def _input(self) -> None:
        """Wait until something is typed. Raises HungUp when nothing more will be."""
        self._skip()
        while not self._typed:
            await self.flush()
            if self._closed:
                raise HungUp
            self._more_typed = asyncio.get_running_loop().create_future()
            await self._more_typed
            self._skip()

    def _skip(self) -> None:
        """Pass over NULs, and over the LF of a CR LF."""
        while self._typed and (self._typed[0] == 0 or (self._typed[0] == 0x0A and self._after_cr)):
            self._after_cr = self._after_cr and self._typed[0] == 0
            del self._typed[0]

    async def _key(self) -> int:
        await self._input()
        key = self._typed.pop(0)
        self._after_cr = key == 0x0D
        return key

    async def read_line(self, *, echo: bool = True, helper: Callable[[str], str] | None = None) -> Typed:
        """One line, edited by backspace and Ctrl-U. `?` shows what `helper` says of the text so far."""
        line, echo = bytearray(), echo and self.echo
        while True:
            await self._input()
            if plain := _PLAIN.match(self._typed):
                text = plain[0]  # before it is deleted: a match only points at its subject
                del self._typed[: len(text)]
                self._after_cr = False
                line += text
                self._echo(text, echo)
                continue
            key = await self._key()
            if key in _ENDS and (end := _ENDS[key]):
                self._echo(end[1], echo or end[0] == "return")
                return Typed(line.decode("utf-8", "replace"), end[0])
            self._edit(key, line, echo, helper)

    def _edit(self, key: int, line: bytearray, echo: bool, helper: Callable[[str], str] | None) -> None:
        if key in (0x08, 0x7F) and line:
            del line[-1]
            self._echo(b"\b \b", echo)
        elif key == 0x15:
            self._echo(b"\b \b" * len(line), echo)
            line.clear()
        elif key == 0x3F and helper is not None:
            text = line.decode("utf-8", "replace")
            self.write(f"?\n{helper(text)}{text}")
        elif key == 0x3F:
            line.append(key)
            self._echo(b"?", echo)

    def _echo(self, data: bytes, wanted: bool) -> None:
        if wanted and self.echo:
            self._shown += data

    def write(self, text: str) -> None:
        """Show text; `\\n` becomes `newline`."""
        self._shown += text.replace("\n", self.newline).encode()

    def write_raw(self, data: bytes) -> None:
        self._shown += data

    async def flush(self) -> None:
        """Send what has gathered."""
        if not self._shown:
            return
        data = bytes(self._shown)
        self._shown.clear()
        if self.shape is not None:
            await self.shape.send(data, self.wire)
        else:
            self.wire.write(data)
            await self.wire.drain()

    async def ask(self, question: str, *, echo: bool = True) -> str:
        """Ask for a line."""
        self.write(question)
        answer = (await self.read_line(echo=echo)).text
        self.on_answer(answer if echo else "***")
        return answer

    async def confirm(self, question: str) -> bool:
        """Ask for one key, as `[confirm]` does: RETURN or `y` is yes, anything else no."""
        self.write(question)
        key = await self._key()
        self.write("\n")
        self.on_answer({0x0D: "", 0x0A: ""}.get(key, chr(key)))
        return key in b"\r\nyY"

    async def show(self, output: Output) -> None:
        """Show a command's output, whole or in pages."""
        if self.length:
            await self._page(output)
            return
        for block in (output,) if isinstance(output, str) else output:
            self.write(block)
            if len(self._shown) >= _BLOCK_BYTES:
                await self.flush()
                await asyncio.sleep(0)  # others' turn, and ours to hear that the client has left

    async def _page(self, output: Output) -> None:
        room = max(self.length - 1, 1)
        for block in (output,) if isinstance(output, str) else output:
            for line in block.splitlines(keepends=True):
                if not room:
                    room = await self._more()
                if not room:
                    return
                self.write(line)
                room -= 1

    async def _more(self) -> int:
        """Ask how many lines more: a page for space, one for RETURN, none for anything else."""
        self.write(_MORE)
        key = await self._key()
        self.write(_UNMORE)
        return {0x20: max(self.length - 1, 1), 0x0D: 1, 0x0A: 1}.get(key, 0)
