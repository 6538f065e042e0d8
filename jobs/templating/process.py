"""One child process, seen from its parent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from asyncio import StreamReader, StreamWriter
from dataclasses import asdict
from pathlib import Path
from subprocess import DEVNULL, Popen
from typing import Any, Self

from jobs.templating import wire
from jobs.templating.errors import ChildLost, SizeExceeded, TimeExceeded
from jobs.templating.limits import Limits

_ROOT = str(Path(__file__).resolve().parents[2])
# Isolated (-I) from the environment and the working directory, so it is told where this process finds its modules.
_PROGRAM = (
    "import json, sys; start = json.loads(sys.argv[1]); sys.path[:] = start['path']; "
    "from jobs.templating.child import main; main(start)"
)


class NotStarted(Exception):
    """No child came up: the message says how it ended. What it had to say is on standard error."""


class Process:
    """A child that is up. One task at a time; after any exception it is of no use but to be stopped."""

    def __init__(self, process: Popen[bytes], reader: StreamReader, writer: StreamWriter, limits: Limits) -> None:
        self._process, self._reader, self._writer, self._limits = process, reader, writer, limits
        self._tasks = 0
        self.sandboxed = False
        self.engines: frozenset[str] = frozenset()
        self.evaluating: frozenset[str] = frozenset()

    @classmethod
    async def start(cls, limits: Limits) -> Self:
        """A child, its engines loaded and its rights gone. Raises NotStarted."""
        try:
            process, line = _spawn(limits)
        except OSError as error:
            raise NotStarted(f"no template child could be started ({error.strerror})") from None
        try:
            reader, writer = await asyncio.open_unix_connection(sock=line, limit=2**20)
        except BaseException:  # called off while it comes up: nobody else knows of it
            process.kill()
            line.close()
            await asyncio.to_thread(process.wait)
            raise
        child = cls(process, reader, writer, limits)
        try:
            async with asyncio.timeout(limits.start_s):
                child._greeted(await child._receive())
        except BaseException as error:
            status = await child.stop()
            if isinstance(error, (TimeoutError, ChildLost, TimeExceeded, SizeExceeded)):
                raise NotStarted(f"a template child did not come up (exit status {status})") from None
            raise
        return child

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def worn(self) -> bool:
        """Whether it has done its share of tasks."""
        return self._tasks >= self._limits.tasks

    async def ask(self, frame: bytes) -> Any:
        """Hand over a task and wait for the answer. Raises TimeExceeded, SizeExceeded and ChildLost."""
        self._tasks += 1
        try:
            async with asyncio.timeout(self._limits.wall_s):
                self._writer.write(frame)
                with contextlib.suppress(ConnectionError):  # why it is gone shows when its answer does not come
                    await self._writer.drain()
                return await self._receive()
        except TimeoutError:
            raise TimeExceeded(f"rendering or parsing took longer than {self._limits.wall_s:g} s") from None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    async def stop(self) -> int:
        """End it, and wait until it is gone and the line to it closed. Its exit status; negative: the signal."""
        self.kill()
        status = await asyncio.to_thread(self._process.wait)  # killed, so it takes no time
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
        return status

    def _greeted(self, hello: Any) -> None:
        match hello:
            case {"sandboxed": bool(sandboxed), "engines": list(engines), "evaluating": list(evaluating)}:
                self.sandboxed, self.engines, self.evaluating = sandboxed, frozenset(engines), frozenset(evaluating)
            case _:
                raise ChildLost("no greeting")

    async def _receive(self) -> Any:
        try:
            head = await self._reader.readexactly(wire.HEAD_BYTES)
            return wire.decode(await self._reader.readexactly(wire.length(head, self._limits.answer_bytes)))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._loss() from None
        except wire.BadFrame:
            raise ChildLost("the child process gave no valid answer") from None

    async def _loss(self) -> ChildLost | TimeExceeded:
        """Why it closed its line. Killed first: code in a template may have closed it and compute on."""
        self.kill()
        if await asyncio.to_thread(self._process.wait) == -signal.SIGXCPU:
            return TimeExceeded(f"rendering or parsing used more than {self._limits.cpu_s} s of processor time")
        return ChildLost("the child process that rendered or parsed ended")


def _spawn(limits: Limits) -> tuple[Popen[bytes], socket.socket]:
    """A process with nothing but a line to this one, its standard input."""
    path = [_ROOT, *(entry for entry in sys.path if os.path.isabs(entry) and entry != _ROOT)]
    start = json.dumps({"parent": os.getpid(), "path": path, "limits": asdict(limits)})
    command = [sys.executable, "-I", "-X", "utf8", "-c", _PROGRAM, start]
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = Popen(command, stdin=theirs.fileno(), stdout=DEVNULL, cwd="/", env={}, start_new_session=True)  # noqa: S603
        except OSError:
            ours.close()
            raise
    ours.setblocking(False)
    return process, ours
