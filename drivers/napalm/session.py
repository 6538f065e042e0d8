"""One login on one device, for the platforms that share no session with another driver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drivers.base import AnyKey, Arguments, Change, Guard, Report, Target, Trust
from drivers.errors import CommandRejected, DriverError, SessionAborted, SessionLost, Unreachable
from drivers.napalm.arguments import NapalmConnection
from drivers.napalm.changes import Steps
from drivers.napalm.driver_args import NapalmConfig, NapalmQuery
from drivers.napalm.failure import call_failure, login_failure
from drivers.napalm.links import Link, link_of
from drivers.napalm.platforms import platform
from drivers.napalm.queries import Query
from drivers.napalm.ways import way
from drivers.ssh.fields import CONTROL


class NapalmSession:
    """A `drivers.base.ConfigSession`."""

    def __init__(self, target: Target, folders: Sequence[Path] = ()) -> None:
        assert isinstance(target.connection, NapalmConnection)
        self.guard: Guard = lambda: None
        self.trust: Trust = AnyKey()
        self._where = target.device_key
        self._folders = folders
        self._login = target.connection
        self._link: Link | None = None
        self._aborted = self._spent = False

    # ── life ──

    def open(self) -> None:
        """See `drivers.base.Session.open`."""
        try:
            self._link = link = link_of(self._login, self._folders)
            link.guard, link.trust = self._before_write, self.trust
            self._before_write()  # after an `abort` that found no link
            link.open()
        except Exception as error:  # NAPALM's platform code raises what it likes; `login_failure` sorts it
            self.close()
            if self._aborted:
                raise SessionAborted(f"the login on {self._where} was aborted") from error
            raise login_failure(error, self._where) from error

    def alive(self) -> bool:
        """See `drivers.base.Session.alive`."""
        return self._link is not None and not (self._aborted or self._spent) and self._link.alive()

    def ping(self, timeout_s: float) -> bool:
        """See `drivers.base.Session.ping`."""
        return self._link is not None and self.alive() and self._link.ping(timeout_s)

    def prompt(self) -> str:
        """There is none."""
        return ""

    def abort(self) -> None:
        """See `drivers.base.Session.abort`."""
        self._aborted = True
        if self._link is not None:
            self._link.abort()

    def close(self) -> None:
        """See `drivers.base.Session.close`."""
        self._spent = True
        if self._link is not None:
            self._link.close()

    # ── work ──

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        """See `drivers.base.Session.run_commands`."""
        assert isinstance(args, NapalmQuery)
        with self._call(commands, args.read_timeout) as driver:
            Query(platform(self._login.device_type), driver, args, report).run(commands)

    def apply_config(self, change: Change, report: Report) -> str | None:
        """See `drivers.base.ConfigSession.apply_config`."""
        with self._steps(change, report) as steps:
            return steps.apply()

    def undo(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.undo`."""
        with self._steps(change, report) as steps:
            steps.undo()

    def keep(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.keep`."""
        with self._steps(change, report) as steps:
            steps.keep()

    def confirm(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.confirm`."""
        with self._steps(change, report) as steps:
            steps.confirm()

    @contextmanager
    def _steps(self, change: Change, report: Report) -> Iterator[Steps]:
        assert isinstance(change.args, NapalmConfig)
        kind = platform(self._login.device_type)
        with self._call(change.lines, change.args.read_timeout) as driver:
            yield Steps(kind, way(kind, driver, change), report)

    # ── errors ──

    @contextmanager
    def _call(self, lines: Sequence[str], timeout_s: float) -> Iterator[Any]:
        """One call on the open session, with a driver object for it."""
        link = self._link
        if link is None:
            raise Unreachable(f"no session is open on {self._where}")
        if any(CONTROL.search(line) for line in lines):
            raise DriverError("a line contains a control character; nothing was sent")
        link.sent = False
        try:
            yield link.driver(timeout_s)
        except CommandRejected:
            raise
        except Exception as error:  # NAPALM's platform code raises what it likes; `call_failure` sorts it
            self._spent = True
            if self._aborted:
                raise SessionAborted(f"the call on {self._where} was aborted") from error
            failure = call_failure(error, self._where, timeout_s)
            if isinstance(failure, Unreachable) and link.sent:  # a connection made anew in the midst of the call
                failure = SessionLost(f"{self._where} was lost after something was sent")
            raise failure from error

    def _before_write(self) -> None:
        if self._aborted:
            raise SessionAborted(f"the session on {self._where} was aborted")
        self.guard()
