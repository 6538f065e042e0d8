"""One subject on the bench: its device, a cable to it, and sessions through that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from drivers.base import Arguments, Change, ConfigSession, Reply, Session, Trust
from tests.cable import Cable
from tests.integration.conformance.peers import Peer, Simulated
from tests.integration.conformance.subjects import DRIVERS, Subject

T = TypeVar("T")

NAME = "np0123456789ab"
LOGIN_S = 3.0
"""For each phase of a login."""
WAIT_S = 5.0
"""For a command, unless a test wants it to be too late."""
AT_ONCE_S = 0.5
"""How soon the end of a peer must be noticed."""
ABORT_S = 0.1
"""How soon an abort must end a call."""


@dataclass
class Talk:
    """A session, and the driver's way of working on it. `replies` are those of the last job."""

    subject: Subject
    session: Session
    work: ConfigSession
    replies: list[Reply] = field(default_factory=list)

    def open(self) -> Talk:
        self.session.open()
        return self

    def ask(self, *commands: str, wait_s: float = WAIT_S) -> list[str]:
        """Their answers."""
        self.replies = []
        self.work.run_commands(commands, self._args(DRIVERS[self.subject.driver].query_args, wait_s), self._report)
        return [reply.stdout for reply in self.replies]

    def apply(self, change: Change) -> str | None:
        self.replies = []
        return self.work.apply_config(change, self._report)

    def undo(self, change: Change) -> None:
        self.work.undo(change, self._report)

    def keep(self, change: Change) -> None:
        self.work.keep(change, self._report)

    def confirm(self, change: Change) -> None:
        self.work.confirm(change, self._report)

    def close(self) -> None:
        """As the pool throws a session away."""
        self.session.abort()
        self.session.close()

    def _report(self, reply: Reply) -> None:
        self.replies.append(reply)

    def _args(self, kind: type[Arguments], wait_s: float) -> Arguments:
        return kind.model_validate({self.subject.timeout: wait_s})


class Bench:
    """Where one subject is examined."""

    def __init__(self, subject: Subject, peer: Peer, cable: Cable) -> None:
        self.subject, self.peer, self.cable = subject, peer, cable
        self._talks: list[Talk] = []

    @property
    def device(self) -> Simulated:
        """The simulated device, which can be told to misbehave."""
        assert isinstance(self.peer, Simulated)
        return self.peer

    def closed(self, *, trust: Trust | None = None, port: int | None = None, **changes: Any) -> Talk:
        """A session that is not open yet."""
        driver = DRIVERS[self.subject.driver]
        kind = {} if self.subject.device_type is None else {"device_type": self.subject.device_type}
        where = {"host": "127.0.0.1", "port": port or self.cable.port, "timeout": LOGIN_S}
        connection = driver.connection_args.model_validate({**kind, **where, **self.peer.login(), **changes})
        target = driver.target(connection)
        session = DRIVERS[target.family].session(target)
        if trust is not None:
            session.trust = trust
        self._talks.append(Talk(self.subject, session, cast(ConfigSession, driver.view(session, connection))))
        return self._talks[-1]

    def opened(self, **changes: Any) -> Talk:
        """An open one."""
        return self.closed(**changes).open()

    def change(
        self,
        lines: Sequence[str] | None = None,
        *,
        name: str = NAME,
        undoable: bool = False,
        wait_s: float = WAIT_S,
        **args: Any,
    ) -> Change:
        """The subject's change."""
        given = {self.subject.timeout: wait_s, **self.subject.change_args, **args}
        config_args = DRIVERS[self.subject.driver].config_args.model_validate(given)
        return Change(self.subject.lines if lines is None else lines, config_args, name, undoable)

    def in_force(self) -> list[bool]:
        """Of each sentence of the change, whether it is."""
        running = self.peer.running()
        return [mark in running for mark in self.subject.marks]

    def left_behind(self) -> list[str]:
        """What the device has of files, checkpoints and sessions."""
        talk = self.opened()
        try:
            return talk.ask(*self.subject.looks) if self.subject.looks else []
        finally:
            talk.close()

    def cost(self, act: Callable[[], object]) -> int:
        """How many bytes the device says while `act` runs."""
        before = self.cable.received
        act()
        return self.cable.received - before

    def close(self) -> None:
        for talk in self._talks:
            talk.close()


@contextmanager
def within(limit_s: float, at_least_s: float = 0.0) -> Iterator[None]:
    """What is done in here must not take longer, whatever becomes of it."""
    began = time.monotonic()
    try:
        yield
    finally:
        took = time.monotonic() - began
        assert at_least_s <= took <= limit_s, f"it took {took:.3f} s"


@contextmanager
def running(call: Callable[[], T]) -> Iterator[Future[T]]:
    """`call` in a thread, which is waited for."""
    with ThreadPoolExecutor(1, thread_name_prefix="conformance") as threads:
        yield threads.submit(call)


def threads() -> set[str]:
    """Names of the threads of sessions that run."""
    ours = ("cable", "conformance", "MainThread")
    return {thread.name for thread in threading.enumerate() if not thread.name.startswith(ours)}
