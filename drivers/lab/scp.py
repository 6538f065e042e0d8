"""The device's side of `scp`: one file each way, as clients of network devices send and fetch them."""

import asyncio
import shlex
from typing import Protocol, runtime_checkable

from drivers.lab.faults import Slow, Struck
from drivers.lab.shape import Bent
from drivers.lab.terminal import HungUp, Wire
from drivers.lab.users import User

_OK = b"\0"
_LONGEST_HEADER = 1024
_PIECE_BYTES = 32_768


@runtime_checkable
class Files(Protocol):
    """A persona that can be copied to and from. Both raise OSError; its text reaches the client."""

    def read_file(self, user: User, path: str) -> bytes: ...

    def write_file(self, user: User, path: str, content: bytes) -> None: ...

    def room_for(self, user: User, path: str, size_bytes: int) -> None:
        """Refuse before the bytes come, if `write_file` would."""


def is_scp(command: str) -> bool:
    return command.startswith("scp ")


class Scp:
    """One transfer over a channel: `reader` is what the client sends. Faults bend what the device answers."""

    def __init__(self, files: Files, user: User, reader: asyncio.StreamReader, wire: Wire, struck: Struck) -> None:
        self._files, self._user, self._reader, self._wire = files, user, reader, wire
        self._struck, self._bent = struck, Bent(struck)

    async def run(self, command: str) -> int:
        """Obey `scp -t PATH` or `scp -f PATH`; return the exit status. Raises HungUp when the client leaves."""
        for slow in self._struck.all(Slow):
            await asyncio.sleep(slow.delay_ms / 1000)
        try:
            path, receives = _parse(command)
            await (self._receive(path) if receives else self._send(path))
        except (OSError, ValueError) as error:
            await self._answer(b"\1" + f"{error}\n".encode())
            return 1
        except asyncio.IncompleteReadError:
            raise HungUp from None
        return 0

    async def _answer(self, data: bytes) -> None:
        await self._bent.send(data, self._wire)

    async def _receive(self, path: str) -> None:
        self._files.room_for(self._user, path, 0)
        await self._answer(_OK)
        while header := await self._header():
            await self._answer(_OK)
            if not header.startswith("C"):  # times, which are not kept
                continue
            size_bytes = _size(header)
            self._files.room_for(self._user, path, size_bytes)
            content = await self._reader.readexactly(size_bytes + 1)
            self._files.write_file(self._user, path, content[:-1])
            await self._answer(_OK)

    async def _header(self) -> str:
        """The next line; empty at the end."""
        line = await self._reader.readline()
        if len(line) > _LONGEST_HEADER:
            raise ValueError("protocol error")
        return line.decode("utf-8", "replace").rstrip("\n")

    async def _send(self, path: str) -> None:
        content = self._files.read_file(self._user, path)
        await self._acknowledged()
        await self._answer(f"C0644 {len(content)} {path.rpartition('/')[2].rpartition(':')[2]}\n".encode())
        await self._acknowledged()
        for start in range(0, len(content), _PIECE_BYTES):
            await self._answer(content[start : start + _PIECE_BYTES])
        await self._answer(_OK)
        await self._acknowledged()

    async def _acknowledged(self) -> None:
        if await self._reader.readexactly(1) != _OK:
            raise ValueError("protocol error")


def _parse(command: str) -> tuple[str, bool]:
    """The path, and whether the client sends it. Raises ValueError."""
    options, *paths = [word for word in shlex.split(command)[1:] if word not in ("-p", "-v", "-d", "--")]
    if len(paths) != 1 or options not in ("-t", "-f"):
        raise ValueError("usage: scp -t|-f file")
    return paths[0], options == "-t"


def _size(header: str) -> int:
    """From `C0644 123 name`. Raises ValueError."""
    size = header.split(" ")[1:2]
    if not size or not size[0].isdecimal():
        raise ValueError("protocol error")
    return int(size[0])
