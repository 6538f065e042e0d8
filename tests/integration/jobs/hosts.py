"""A driver whose hosts are in memory: files to be moved, tasks, and sessions that break off where a test wants."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Literal

from drivers.base import (
    Arguments,
    Capabilities,
    Reply,
    Report,
    Secret,
    Session,
    Sink,
    Source,
    Target,
    TaskState,
    Transfer,
    Verdict,
)
from drivers.errors import CommandRejected, DriverError, SessionLost, Unreachable
from tests.unit.drivers.fakes import FakeDriver, FakeSession, Login

CHUNK = 100_000


class FileTransfer(Arguments):
    """As every driver that moves files has it."""

    operation: Literal["upload", "download"]
    remote_path: str
    overwrite: bool = True


class HostLogin(Login):
    """With a secret."""

    password: Secret | None = None


class HostQuery(Arguments):
    """The fake driver's arguments of a query."""

    file_transfer: FileTransfer | None = None


@dataclass
class FakeTask:
    """A command that runs on the host."""

    command: str
    state: TaskState = field(default_factory=lambda: TaskState("running"))
    log: bytes = b""


@dataclass
class Host:
    """What is on a host."""

    files: dict[str, bytes] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)
    tasks: dict[str, FakeTask] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    """Each session of a transfer breaks off after so many bytes, the first one first; without more, none does."""
    refused_logins: int = 0
    """So many logins after the first one find nobody."""
    error: type[DriverError] = SessionLost


class HostSession(FakeSession):
    """A `FileSession` and `TaskSession`."""

    def __init__(self, target: Target, host: Host, *, first: bool) -> None:
        super().__init__(target)
        self.host = host
        self.first = first

    def open(self) -> None:
        if not self.first and self.host.refused_logins:
            self.host.refused_logins -= 1
            raise Unreachable("nobody there")
        super().open()

    @contextmanager
    def _line(self) -> Iterator[list[int]]:
        """How many bytes may pass before the session breaks off."""
        yield [self.host.breaks.pop(0) if self.host.breaks else 1 << 60]

    def _pass(self, left: list[int], size: int) -> None:
        self.guard()
        left[0] -= size
        if left[0] < 0:
            raise self.host.error("broken off")

    def upload(self, transfer: Transfer, source: Source, report: Report) -> None:
        part = self.host.parts.setdefault(source.sha256, b"")
        with self._line() as left:
            while data := source.read(len(part), CHUNK):
                self._pass(left, len(data))
                part += data
                self.host.parts[source.sha256] = part
        assert (sha256(part).hexdigest(), len(part)) == (source.sha256, source.size)
        self.host.files[transfer.remote_path] = part
        self._say(report, "upload", len(part))

    def download(self, transfer: Transfer, sink: Sink, report: Report) -> None:
        if transfer.remote_path not in self.host.files:
            raise CommandRejected("no such file")
        content = self.host.files[transfer.remote_path]
        self.events.append(f"from {sink.size}")
        with self._line() as left:
            while data := content[sink.size : sink.size + CHUNK]:
                self._pass(left, len(data))
                sink.append(data)
        self._say(report, "download", len(content))

    def _say(self, report: Report, what: str, size: int) -> None:
        report(Reply(what, "", Verdict.DONE, datetime.now(UTC), 0.0, parsed={"size_bytes": size}))

    def start_task(self, task_id: str, command: str, args: Arguments) -> None:
        self.guard()
        self.host.tasks.setdefault(task_id, FakeTask(command))

    def look_at_task(self, task_id: str, args: Arguments, *, offset: int, size: int) -> TaskState:
        if task_id not in self.host.tasks:
            return TaskState("lost")
        task = self.host.tasks[task_id]
        return TaskState(task.state.state, task.state.exit_status, task.log[offset : offset + size], len(task.log))

    def stop_task(self, task_id: str, args: Arguments) -> TaskState:
        self.guard()
        self.host.tasks[task_id].state = TaskState("lost")
        return self.look_at_task(task_id, args, offset=0, size=0)

    def forget_task(self, task_id: str, args: Arguments) -> None:
        self.guard()
        self.host.tasks.pop(task_id, None)


class HostDriver(FakeDriver):
    """All its sessions are on one host."""

    name = "host"
    connection_args: type[Arguments] = HostLogin
    query_args: type[Arguments] = HostQuery

    def __init__(self) -> None:
        super().__init__()
        self.host = Host()

    def session(self, target: Target) -> Session:
        self.sessions.append(HostSession(target, self.host, first=not self.sessions))
        return self.sessions[-1]

    def capabilities(self, device_type: str | None) -> Capabilities:
        return Capabilities(files=True, tasks=True)

    def device_types(self) -> Sequence[str]:
        return ()
