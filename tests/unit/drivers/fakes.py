"""A driver whose sessions are in memory: the whole of the protocol, with gates at which a test can hold a call."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from drivers.base import (
    AnyKey,
    Arguments,
    Capabilities,
    Change,
    ChangeArguments,
    Guard,
    Reply,
    Report,
    Session,
    Strategy,
    Target,
    Trust,
    Verdict,
    login_digest,
)
from drivers.errors import SessionAborted, Unreachable

PATIENCE_S = 10


class Login(Arguments):
    """Where to log in, and as whom."""

    host: str = "r1"
    username: str = "admin"


class FakeSession:
    """A `drivers.base.Session`. `run_commands(["hold"])` waits for `abort`; `refuse` makes `open` fail."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.guard: Guard = lambda: None
        self.trust: Trust = AnyKey()
        self.events: list[str] = []
        self.holding = threading.Event()
        self.released = threading.Event()
        self.lingers = threading.Event()
        self.lingers.set()
        self.answers_ping = True
        self.dead = False

    def open(self) -> None:
        self.events.append("open")
        assert isinstance(self.target.connection, Login)
        if self.target.connection.username == "refuse":
            raise Unreachable("refused")
        if self.target.connection.username == "hold":
            self._hold()

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        for command in commands:
            self.guard()
            self.events.append(command)
            if command == "hold":
                self._hold()
            report(Reply(command, "fine", Verdict.DONE, datetime.now(UTC), 0.0))

    def apply_config(self, change: Change, report: Report) -> str | None:
        self.run_commands(change.lines, change.args, report)
        return None

    def _hold(self) -> None:
        self.holding.set()
        assert self.released.wait(PATIENCE_S)
        assert self.lingers.wait(PATIENCE_S)  # an abort takes its moment
        self.events.append("left")
        raise SessionAborted("aborted")

    def alive(self) -> bool:
        return not self.dead

    def ping(self, timeout_s: float) -> bool:
        self.events.append("ping")
        return self.answers_ping

    def prompt(self) -> str:
        return "r1#"

    def abort(self) -> None:
        self.dead = True
        self.events.append("abort")
        self.released.set()

    def close(self) -> None:
        self.dead = True
        self.events.append("close")


class FakeDriver:
    """A `drivers.base.Driver` that keeps the sessions that it made."""

    name = "fake"
    connection_args: type[Arguments] = Login
    query_args: type[Arguments] = Arguments
    config_args: type[ChangeArguments] = ChangeArguments
    default_strategy = Strategy.PINNED
    example_command = "show version"
    example_config: Sequence[str] = ("line",)

    def __init__(self) -> None:
        self.example: dict[str, Any] = {"host": "r1"}
        self.sessions: list[FakeSession] = []

    def target(self, connection: Arguments) -> Target:
        assert isinstance(connection, Login)
        return Target(self.name, connection.host, 22, login_digest(connection), connection)

    def session(self, target: Target) -> Session:
        self.sessions.append(FakeSession(target))
        return self.sessions[-1]

    def view(self, session: Session, connection: Arguments) -> Session:
        return session

    def device_types(self) -> Sequence[str]:
        return ()

    def capabilities(self, device_type: str | None) -> Capabilities:
        return Capabilities()
