"""One SSH login on one Linux host: no shell is held, each command has a channel of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import paramiko
from paramiko.sftp import SFTPError
from paramiko.ssh_exception import SSHException

from drivers.base import AnyKey, Arguments, Change, Guard, Report, Sink, Source, Target, TaskState, Transfer, Trust
from drivers.errors import (
    CommandRejected,
    DriverError,
    LeaseLost,
    ReplyTimeout,
    SessionAborted,
    SessionLost,
    Unreachable,
)
from drivers.paramiko.arguments import ParamikoConfig, ParamikoConnection, ParamikoQuery, Running
from drivers.paramiko.commands import Batch, check_environment, refuse_unsendable
from drivers.paramiko.execution import Remote
from drivers.paramiko.files import Files
from drivers.paramiko.tasks import Tasks
from drivers.sockets import TcpLine
from drivers.ssh.jump import Jump, Line
from drivers.ssh.keys import key_of, plain
from drivers.ssh.login import Login, transport_on
from drivers.ssh.ping import ping


class ParamikoSession:
    """A `drivers.base.ConfigSession`, `FileSession` and `TaskSession`.

    A command that outlasts its time is ended on the host, and so is one whose connection breaks; what should go on
    without one is a detached task.
    """

    def __init__(self, target: Target, key_folders: Sequence[Path] = ()) -> None:
        assert isinstance(target.connection, ParamikoConnection)
        self.guard: Guard = lambda: None
        self.trust: Trust = AnyKey()
        self._where = target.device_key
        self._login = login = target.connection
        self._key_folders = key_folders
        self._jump = Jump(login, target.host, target.port, key_folders) if login.proxy_host else None
        self._line: Line = self._jump or TcpLine(target.host, target.port)
        self._transport: paramiko.Transport | None = None
        self._aborted = self._overdue = False  # ended from another thread: by `abort`, by a watch
        self._spent = False
        self._sent = False

    # ── life ──

    def open(self) -> None:
        """See `drivers.base.Session.open`."""
        if self._jump is not None:
            self._jump.trust = self.trust
        try:
            login = self._credentials()
            self._transport = transport_on(self._line.connect(self._login.timeout), login, self.trust)
        except Exception as error:  # whatever it was, an abort came first; else it is raised as it is
            self.close()
            if self._aborted:
                raise SessionAborted(f"the login on {self._where} was aborted") from error
            raise

    def alive(self) -> bool:
        """False if the session is known to be dead. Any thread."""
        transport = self._transport
        if transport is None or self._aborted or self._spent:
            return False
        return transport.is_active() and self._line.alive()

    def ping(self, timeout_s: float) -> bool:
        """An SSH request that any server answers, within `timeout_s` seconds."""
        return self._transport is not None and self.alive() and ping(self._transport, timeout_s)

    def prompt(self) -> str:
        """None: there is no command line."""
        return ""

    def abort(self) -> None:
        """End whatever the session's thread does by shutting its socket down. Any thread."""
        self._aborted = True
        self._line.abort()

    def close(self) -> None:
        """Close. Idempotent."""
        self._spent = True
        self._line.abort()
        if self._transport is not None:
            if self._transport.is_alive():
                self._transport.join(1.0)  # ends now that its socket is shut down; before, nobody may reuse that
            self._transport.close()
        self._line.close()

    # ── work ──

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        """See `drivers.base.Session.run_commands`. An exit status other than 0 counts as a refusal."""
        assert isinstance(args, ParamikoQuery)
        with self._call(commands, args) as remote:
            check_environment(remote, args, self._sudo_password(args))
            Batch(remote, args, self._sudo_password(args), report).run_all(commands)

    def apply_config(self, change: Change, report: Report) -> str | None:
        """Run the lines as commands, up to the first that fails. What was done stays done; no difference is known."""
        args = change.args
        assert isinstance(args, ParamikoConfig)
        if args.dry_run or args.revert_in or args.replace:
            raise CommandRejected("commands cannot be tried, undone or put in place of others; nothing was sent")
        with self._call(change.lines, args) as remote:
            check_environment(remote, args, self._sudo_password(args))
            Batch(remote, args, self._sudo_password(args), report).run_until_failure(change.lines)
        return None

    def undo(self, change: Change, report: Report) -> None:  # noqa: ARG002 (the contract's)
        """Raises CommandRejected: commands cannot be undone."""
        raise CommandRejected("commands that were run cannot be undone")

    def keep(self, change: Change, report: Report) -> None:
        """Nothing was kept for an `undo`."""

    def confirm(self, change: Change, report: Report) -> None:  # noqa: ARG002 (the contract's)
        """Raises CommandRejected: nothing is undone by itself."""
        raise CommandRejected("nothing waits for a confirmation")

    def upload(self, transfer: Transfer, source: Source, report: Report) -> None:
        """See `drivers.base.FileSession.upload`."""
        with self._call((), transfer.args) as remote:
            Files(remote, transfer, report).upload(source)

    def download(self, transfer: Transfer, sink: Sink, report: Report) -> None:
        """See `drivers.base.FileSession.download`."""
        with self._call((), transfer.args) as remote:
            Files(remote, transfer, report).download(sink)

    def start_task(self, task_id: str, command: str, args: Arguments) -> None:
        """See `drivers.base.TaskSession.start_task`."""
        with self._call((command,), args) as remote:
            check_environment(remote, _running(args), self._sudo_password(args))
            self._tasks(remote, args).start(task_id, command)

    def look_at_task(self, task_id: str, args: Arguments, *, offset: int, size: int) -> TaskState:
        """See `drivers.base.TaskSession.look_at_task`."""
        with self._call((), args) as remote:
            return self._tasks(remote, args).look(task_id, offset, size)

    def stop_task(self, task_id: str, args: Arguments) -> TaskState:
        """See `drivers.base.TaskSession.stop_task`."""
        with self._call((), args) as remote:
            return self._tasks(remote, args).stop(task_id)

    def forget_task(self, task_id: str, args: Arguments) -> None:
        """See `drivers.base.TaskSession.forget_task`."""
        with self._call((), args) as remote:
            self._tasks(remote, args).forget(task_id)

    # ── within ──

    def _credentials(self) -> Login:
        login = self._login
        return Login(
            self._where,
            login.username,
            plain(login.password),
            key_of(login.pkey, login.key_filename, login.passphrase, self._key_folders),
            login.banner_timeout or login.timeout,
            login.auth_timeout or login.timeout,
            login.compress,
            login.disabled_algorithms,
        )

    def _tasks(self, remote: Remote, args: Arguments) -> Tasks:
        return Tasks(remote, _running(args), self._sudo_password(args))

    def _sudo_password(self, args: Arguments) -> str | None:
        return plain(_running(args).sudo_password or self._login.password)

    @contextmanager
    def _call(self, lines: Sequence[str], args: Arguments) -> Iterator[Remote]:
        """One call on the open session, with errors in the contract's terms."""
        transport = self._transport
        if transport is None:
            raise Unreachable(f"no session is open on {self._where}")
        refuse_unsendable(lines)
        self._sent = False
        try:
            yield Remote(transport, self._before_write, self._expire, self._login.timeout)
        except CommandRejected:
            raise
        except (DriverError, SSHException, SFTPError, OSError, EOFError) as error:
            self._spent = True
            raise self._failure(error, _running(args).timeout) from error

    def _failure(self, error: Exception, timeout_s: float) -> DriverError:
        if self._aborted and not isinstance(error, LeaseLost):
            return SessionAborted(f"the call on {self._where} was aborted")
        if isinstance(error, DriverError):
            return error
        if isinstance(error, TimeoutError):
            return ReplyTimeout(f"{self._where} did not finish within {timeout_s:g} s")
        if self._overdue:
            return ReplyTimeout(f"{self._where} does not answer any more")
        if self._sent:
            return SessionLost(f"{self._where} closed the session after something was sent")
        return Unreachable(f"the held session on {self._where} was closed by the host")

    def _before_write(self) -> None:
        if self._aborted:
            raise SessionAborted(f"the session on {self._where} was aborted")
        self.guard()
        self._sent = True

    def _expire(self) -> None:
        self._overdue = True
        self._line.abort()


def _running(args: Arguments) -> Running:
    assert isinstance(args, Running)
    return args
