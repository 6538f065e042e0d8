"""Held sessions: one login per target, lent to one job at a time, thrown away after any failure."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import ParamSpec, Protocol, TypeVar
from uuid import UUID, uuid4

from drivers.base import AnyKey, Driver, Guard, Session, Target, Trust

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class PoolLimits:
    """How many sessions and threads, and when a session is asked for a sign of life."""

    sessions: int = 1000
    calls: int = 256
    logins: int = 48
    ping_after_s: float = 10
    ping_timeout_s: float = 2


@dataclass(slots=True)
class Held:
    """An open session that is kept between jobs: at rest, or lent to one."""

    target: Target
    session: Session
    id: UUID = field(default_factory=uuid4)
    opened_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """UTC; when the login had succeeded."""
    used: float = field(default_factory=time.monotonic)
    """time.monotonic() of its last use."""


class Gate(Protocol):
    """What the pool's owner has to say about logins."""

    def trust(self, target: Target) -> Trust:
        """What is on record of the keys of `target` and of those on the way to it."""

    def login(self, target: Target) -> AbstractAsyncContextManager[None]:
        """Around each login: raises AuthenticationFailed to forbid it, and hears how it ends."""


class OpenGate:
    """A gate that lets everybody in."""

    def trust(self, target: Target) -> Trust:
        """Any key will do."""
        return AnyKey()

    @asynccontextmanager
    async def login(self, target: Target) -> AsyncIterator[None]:
        """Nothing to say."""
        yield


class Lease:
    """A session lent to one job."""

    def __init__(self, session: Session, threads: ThreadPoolExecutor, *, reused: bool) -> None:
        self.session = session
        self.reused = reused
        self._threads = threads

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a method of the session in a thread. Cancelled, it aborts the session and waits for the thread."""
        return await _in_thread(self._threads, self.session, partial(function, *args, **kwargs))


class SessionPool:
    """Sessions by target. The whole login is the key, so no one rides on another's login.

    Belongs to one event loop. The caller sees to it that two jobs never lease the same target at once; the queue's
    lock by device does that for pinned jobs, and fifo jobs never touch what is held.
    """

    def __init__(
        self,
        drivers: Mapping[str, Driver],
        limits: PoolLimits,
        *,
        on_let_go: Callable[[str], None],
        gate: Gate | None = None,
    ) -> None:
        """`on_let_go` hears the device key of each session that was closed to make room, or found dead while idle."""
        self._drivers = drivers
        self._gate = gate or OpenGate()
        self._limits = limits
        self._on_let_go = on_let_go
        self._idle: OrderedDict[Target, Held] = OrderedDict()  # longest idle first
        self._busy: dict[UUID, Held] = {}
        self._lent = 0  # leases, those that still log in and those of fresh sessions included
        self._calls = ThreadPoolExecutor(limits.calls, thread_name_prefix="call")
        self._logins = ThreadPoolExecutor(limits.logins, thread_name_prefix="login")

    @property
    def held(self) -> int:
        """Sessions open now, lent ones included."""
        return len(self._idle) + self._lent

    @property
    def kept(self) -> list[Held]:
        """The open sessions that are kept, at rest or lent."""
        return [*self._idle.values(), *self._busy.values()]

    @asynccontextmanager
    async def lease(self, target: Target, guard: Guard, *, keep: bool = True) -> AsyncIterator[Lease]:
        """Lend the held session for `target`, or a new one; `keep` false: a fresh one, closed afterwards.

        `guard` is called before every write to the device. Raises what `Session.open` raises.
        """
        self._lent += 1
        try:
            rested = await self._take(target) if keep else None
            held = rested or Held(target, await self._login(target, guard))
            held.session.guard = guard
            with self._noted(held, keep=keep):
                yield Lease(held.session, self._calls, reused=rested is not None)
            if keep and held.session.alive():
                held.used = time.monotonic()
                self._idle[target] = held
            else:
                held.session.close()
        finally:
            self._lent -= 1
            self._make_room()  # more may have been lent at once than may be held

    @contextmanager
    def _noted(self, held: Held, *, keep: bool) -> Iterator[None]:
        """Count it as kept while it is lent; throw it away after any failure."""
        if keep:
            self._busy[held.id] = held
        try:
            yield
        except BaseException:  # half-read bytes would reach the next job
            _throw_away(held.session)
            raise
        finally:
            self._busy.pop(held.id, None)

    def sweep(self) -> None:
        """Drop the idle sessions that are known to be dead. Costs microseconds for each."""
        for target, held in list(self._idle.items()):
            if not held.session.alive():
                del self._idle[target]
                held.session.close()
                self._on_let_go(target.device_key)

    def let_go(self, device_key: str) -> int:
        """Close the idle sessions of one device; returns how many."""
        targets = [target for target in self._idle if target.device_key == device_key]
        for target in targets:
            self._idle.pop(target).session.close()
        return len(targets)

    async def close(self) -> None:
        """Close every idle session; lent ones end with their jobs."""
        while self._idle:
            self._idle.popitem()[1].session.close()
        self._calls.shutdown(wait=False, cancel_futures=True)
        self._logins.shutdown(wait=False, cancel_futures=True)

    async def _take(self, target: Target) -> Held | None:
        held = self._idle.pop(target, None)
        if held is None or await self._answers(held):
            return held
        _throw_away(held.session)
        return None

    async def _answers(self, held: Held) -> bool:
        if not held.session.alive():
            return False
        if time.monotonic() - held.used < self._limits.ping_after_s:
            return True
        try:
            return await _in_thread(self._calls, held.session, partial(held.session.ping, self._limits.ping_timeout_s))
        except BaseException:
            _throw_away(held.session)
            raise

    async def _login(self, target: Target, guard: Guard) -> Session:
        self._make_room()
        session = self._drivers[target.family].session(target)
        session.guard, session.trust = guard, self._gate.trust(target)
        try:
            async with self._gate.login(target):
                await _in_thread(self._logins, session, session.open)
        except BaseException:
            _throw_away(session)
            raise
        return session

    def _make_room(self) -> None:
        while self._idle and self.held > self._limits.sessions:
            target, held = self._idle.popitem(last=False)
            held.session.close()
            self._on_let_go(target.device_key)


def _throw_away(session: Session) -> None:
    """Cut it off, then give its descriptors back: no call of it is under way any more."""
    session.abort()
    session.close()


async def _in_thread(threads: ThreadPoolExecutor, session: Session, call: Callable[[], T]) -> T:
    """Await `call` in a thread. If cancelled, abort the session and wait until the thread has left the device.

    Releasing the device earlier would let its next job overlap with this one.
    """
    running = threads.submit(call)
    waiting = asyncio.wrap_future(running)
    try:
        return await asyncio.shield(waiting)
    except asyncio.CancelledError:
        if running.cancel():  # it never began
            raise
        session.abort()
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([waiting])
        if waiting.done() and not waiting.cancelled():
            waiting.exception()  # seen: what an aborted call says is of no interest
        raise
