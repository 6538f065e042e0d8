"""The warm pool of child processes in which hostile templates and regexes run."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import structlog

from jobs.templating import wire
from jobs.templating.catalogues import Catalogues
from jobs.templating.errors import ChildLost, MemoryExceeded, NoChildFree, SizeExceeded, TemplateRefused, from_json
from jobs.templating.limits import Limits
from jobs.templating.process import NotStarted, Process

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 30.0

log = structlog.get_logger()


class Children:
    """`size` children, each with one task at a time. A child that was killed, has died or is worn is replaced.

    Belongs to one event loop; the children die with the thread that it runs in.
    """

    def __init__(self, size: int = 2, limits: Limits | None = None) -> None:
        self._size, self._limits = size, limits or Limits()
        self._catalogues = Catalogues()
        self._all: set[Process] = set()
        self._leaving: set[Process] = set()
        self._idle: deque[Process] = deque()
        self._waiting: deque[asyncio.Future[Process]] = deque()
        self._renewals: set[asyncio.Task[None]] = set()
        self._closed = False
        self.sandboxed = False
        """Whether the kernel keeps evaluated code from files, network and processes."""
        self.engines: frozenset[str] = frozenset()
        """Names that `run` knows."""
        self._evaluating: frozenset[str] = frozenset()

    @property
    def pids(self) -> frozenset[int]:
        """Process ids of the children that are up."""
        return frozenset(child.pid for child in self._all)

    async def start(self) -> None:
        """Bring all children up. Raises NotStarted; then none is left."""
        starts = [Process.start(self._limits) for _ in range(self._size)]
        started = await asyncio.gather(*starts, return_exceptions=True)
        self._all.update(child for child in started if isinstance(child, Process))
        for failure in started:
            if isinstance(failure, BaseException):
                await self.close()
                raise failure
        self._idle.extend(self._all)
        self.sandboxed = all(child.sandboxed for child in self._all)
        self.engines = self._idle[0].engines | self._catalogues.names
        self._evaluating = self._idle[0].evaluating
        if not self.sandboxed:
            log.warning("templates_without_sandbox", hint="no seccomp here: templates that hold code are refused")

    async def close(self) -> None:
        """End all children, whatever they are at; `run` fails from now on."""
        self._closed = True
        for renewal in self._renewals:
            renewal.cancel()
        await asyncio.gather(*self._renewals, return_exceptions=True)
        for future in self._waiting:
            if not future.done():
                future.set_exception(NoChildFree("the pool is closed"))
        self._idle.clear()
        await asyncio.gather(*(child.stop() for child in self._all | self._leaving))
        self._all.clear()

    async def run(self, engine: str, task: Mapping[str, Any], *, once: bool = False) -> Any:
        """The result of one task, plain JSON data. Raises TemplateErrors.

        `once`: the template may hold code, which is evaluated. Its child is thrown away, and must be sandboxed.
        Cancelled, it kills the child.
        """
        engine, task = self._catalogues.resolve(engine, task)
        once = once or engine in self._evaluating
        self._require(engine, once)
        frame = self._frame(engine, task)
        child = await self._take()
        try:
            answer = await child.ask(frame)
        except BaseException:
            self._replace(child)
            raise
        return self._outcome(child, answer, once)

    def _require(self, engine: str, once: bool) -> None:
        if engine not in self.engines:
            raise TemplateRefused(f"no such engine; there are {', '.join(sorted(self.engines))}", name=engine)
        if once and not self.sandboxed:
            raise TemplateRefused("templates that hold code are refused: this system has no sandbox for them")

    def _frame(self, engine: str, task: Mapping[str, Any]) -> bytes:
        try:
            return wire.encode({"engine": engine, "task": dict(task)}, self._limits.request_bytes)
        except SizeExceeded as error:
            raise SizeExceeded(f"template and data are {error.message}") from None
        except (TypeError, ValueError):
            raise TemplateRefused("template and data must be plain JSON") from None

    def _outcome(self, child: Process, answer: Any, once: bool) -> Any:
        match answer:
            case {"result": result, "spent": spent}:
                error = None
            case {"error": said, "spent": spent}:
                result, error = None, from_json(said)
            case _:
                result, spent, error = None, True, ChildLost("the child process gave no valid answer")
        if once or spent or child.worn or isinstance(error, (MemoryExceeded, ChildLost)):
            self._replace(child)
        else:
            self._give(child)
        if error:
            raise error
        return result

    async def _take(self) -> Process:
        """An idle child, in the order of asking."""
        if self._closed or len(self._waiting) >= self._limits.waiting:
            raise NoChildFree("the pool is closed" if self._closed else "too many templates wait to be run")
        if self._idle:
            return self._idle.popleft()
        future: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            async with asyncio.timeout(self._limits.wait_s):
                return await future
        except BaseException as error:
            self._withdraw(future)
            if isinstance(error, TimeoutError):
                raise NoChildFree(f"no template child came free within {self._limits.wait_s:g} s") from None
            raise

    def _withdraw(self, future: asyncio.Future[Process]) -> None:
        """Nobody waits for `future` any more; a child that it got at this very moment goes on to the next."""
        if future in self._waiting:
            self._waiting.remove(future)
        if future.done() and not future.cancelled() and future.exception() is None:
            self._give(future.result())

    def _give(self, child: Process) -> None:
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(child)
                return
        self._idle.append(child)

    def _replace(self, child: Process) -> None:
        child.kill()
        if self._closed:
            return
        self._all.discard(child)
        self._leaving.add(child)
        renewal = asyncio.get_running_loop().create_task(self._renew(child))
        self._renewals.add(renewal)
        renewal.add_done_callback(self._renewals.discard)

    async def _renew(self, old: Process) -> None:
        await old.stop()
        self._leaving.discard(old)
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                new = await Process.start(self._limits)
                break
            except NotStarted as error:
                log.error("template_child_not_started", reason=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self._all.add(new)
        self._give(new)
