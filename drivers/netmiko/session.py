"""One netmiko login on one device."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import paramiko
from netmiko.exceptions import ReadTimeout

from drivers.base import AnyKey, Arguments, Change, Guard, Reply, Report, Sink, Source, Target, Transfer, Trust, Verdict
from drivers.errors import CommandRejected, DriverError, SessionAborted, Unreachable
from drivers.netmiko.arguments import AUTODETECT, NetmikoConnection
from drivers.netmiko.channels import PeerClosed
from drivers.netmiko.connection import EventConnection
from drivers.netmiko.detection import DETECTION_S, become, detect
from drivers.netmiko.driver_args import NetmikoConfig, NetmikoQuery
from drivers.netmiko.entry import Entry
from drivers.netmiko.failure import call_failure
from drivers.netmiko.link import Link
from drivers.netmiko.privilege import Privilege
from drivers.netmiko.procedures import Procedure, procedure_for
from drivers.netmiko.refusal import Refusals
from drivers.netmiko.scp import Scp
from drivers.netmiko.transfer import Copy
from drivers.ssh.fields import CONTROL

_REST_S = 0.25
"""How long late output may still take to end in the prompt before a job."""


class NetmikoSession:
    """A `drivers.base.Session`. A job that leaves the device at another prompt ends it: `alive` is then False."""

    def __init__(self, target: Target, key_folders: Sequence[Path] = ()) -> None:
        assert isinstance(target.connection, NetmikoConnection)
        self.guard: Guard = lambda: None
        self.trust: Trust = AnyKey()
        self._where = target.device_key
        self._login = target.connection
        self._target, self._key_folders = target, key_folders
        self._link = Link(target, key_folders)
        self._files: Link | None = None  # a second connection, while a file is on its way
        self._refusals = Refusals(self._login.device_type)
        self._connection: EventConnection | None = None
        self._spent = False
        self._sent = False
        self._untouched = ""  # the name of a change of which nothing came into force: there is nothing to undo
        self._privilege = Privilege(self._where)
        self.device_type = self._login.device_type
        """netmiko's; of a login with `autodetect` what was found, once it is open."""

    # ── life ──

    def open(self) -> None:
        """See `drivers.base.Session.open`."""
        finish = self._detect if self._login.device_type == AUTODETECT else None
        try:
            self._connection = self._link.open(self.trust, self._before_write, finish, DETECTION_S)
        except DriverError:
            self.close()
            raise

    def alive(self) -> bool:
        """False if the session is known to be dead, or not to stand where jobs start from. Any thread."""
        return self._connection is not None and not self._spent and self._link.alive()

    def ping(self, timeout_s: float) -> bool:
        """An SSH request that any server answers, within `timeout_s` seconds; for telnet no more than `alive`."""
        return not self._spent and self._link.ping(timeout_s)

    def prompt(self) -> str:
        """The device's prompt as last seen, "" before the login."""
        return self._connection.prompt.text if self._connection else ""

    def abort(self) -> None:
        """End whatever the session's thread does by shutting its sockets down. Any thread."""
        for link in (self._link, self._files):
            if link is not None:
                link.abort()

    def close(self) -> None:
        """Close without a word to the command line. Idempotent."""
        self._spent = True
        self._close_files()
        self._link.close()

    # ── work ──

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        """See `drivers.base.Session.run_commands`."""
        assert isinstance(args, NetmikoQuery)
        with self._call(commands, args.read_timeout) as connection:
            self._privilege.want(connection, self._privileged(args))
            home = connection.prompt
            refused = [command for command in commands if self._ask(connection, command, args, report)]
            stays = args.expect_string is None or connection.at_home(_REST_S)  # a text may end a command at a question
            self._spent = not (stays and home.is_like(connection.prompt.text))
            if refused:
                raise CommandRejected(
                    f"{len(refused)} of {len(commands)} commands were refused, the first: {refused[0]}"
                )

    def apply_config(self, change: Change, report: Report) -> str | None:
        """See `drivers.base.ConfigSession.apply_config`."""
        with self._procedure(change, report) as procedure:
            try:
                return procedure.apply()
            except CommandRejected:
                self._untouched = "" if procedure.touched else change.name
                raise

    def undo(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.undo`."""
        with self._procedure(change, report) as procedure:
            if change.name == self._untouched:
                procedure.forget()
            else:
                procedure.undo()

    def keep(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.keep`."""
        with self._procedure(change, report) as procedure:
            procedure.keep()

    def confirm(self, change: Change, report: Report) -> None:
        """See `drivers.base.ConfigSession.confirm`."""
        with self._procedure(change, report) as procedure:
            procedure.confirm()

    @contextmanager
    def _procedure(self, change: Change, report: Report) -> Iterator[Procedure]:
        """The steps of one change, in privileged mode. A session that a refusal left elsewhere is over."""
        args = change.args
        assert isinstance(args, NetmikoConfig)
        with self._call(change.lines, args.read_timeout) as connection:
            self._privilege.want(connection, True if args.enable_mode is None else args.enable_mode)
            home = connection.prompt
            try:
                yield procedure_for(Entry(connection, args, report), change)
            except CommandRejected:
                self._spent = not home.is_like(connection.prompt.text)
                raise
            finally:
                self._privilege.forget()
            self._spent = not args.exit_config_mode

    def upload(self, transfer: Transfer, source: Source, report: Report) -> None:
        """See `drivers.base.FileSession.upload`."""
        with self._copy(transfer, report) as (copy, scp):
            copy.upload(source, scp)

    def download(self, transfer: Transfer, sink: Sink, report: Report) -> None:
        """See `drivers.base.FileSession.download`."""
        with self._copy(transfer, report) as (copy, scp):
            copy.download(sink, scp)

    @contextmanager
    def _copy(self, transfer: Transfer, report: Report) -> Iterator[tuple[Copy, Callable[[], Scp]]]:
        """A transfer, and what opens the connection that it needs besides the session's."""
        args = transfer.args
        assert isinstance(args, NetmikoQuery)
        with self._call((), args.read_timeout) as connection:
            self._privilege.want(connection, self._privileged(args))
            try:
                yield Copy(connection, transfer, report), partial(self._scp, args.read_timeout)
            finally:
                self._close_files()

    def _scp(self, timeout_s: float) -> Scp:
        channel = self.another_login().open_session(timeout=timeout_s)
        channel.settimeout(timeout_s)
        return Scp(channel, self._before_write)

    def _close_files(self) -> None:
        if self._files is not None:
            self._files.close()
            self._files = None

    def _privileged(self, args: NetmikoQuery) -> bool | None:
        """Whether to run privileged; None: as the login left it."""
        default = True if self._login.secret is not None else None
        return default if args.enable_mode is None else args.enable_mode

    def _ask(self, connection: EventConnection, command: str, args: NetmikoQuery, report: Report) -> bool:
        """Run one command and report it; True if it was refused."""
        if args.expect_string is not None:
            connection.drop_unread()  # where the literal text stood in the middle of the output before
        elif not connection.settle(args.read_timeout):
            raise ReadTimeout("late output did not end")
        started, clock = datetime.now(UTC), time.perf_counter()
        output = connection.send_command(
            command,
            expect_string=args.ending,
            **args.model_dump(include={"read_timeout", "strip_prompt", "strip_command", "normalize", "cmd_verify"}),
        )
        refused = self._refusals.in_answer(output)
        verdict = Verdict.REFUSED if refused else Verdict.DONE
        report(Reply(command, output, verdict, started, time.perf_counter() - clock, exit_status=int(refused)))
        return refused

    # ── for other drivers ──

    @contextmanager
    def borrowed(self, lines: Sequence[str], timeout_s: float, *, privileged: bool | None) -> Iterator[EventConnection]:
        """Lend the open connection for one call of another driver's, within this session's care for errors.

        `lines` are what it is about to send. What it leaves behind is looked at: the next call starts at a prompt.
        """
        with self._call(lines, timeout_s) as connection:
            self._privilege.want(connection, privileged)
            try:
                yield connection
            except CommandRejected:
                connection.relearn()
                raise
            connection.relearn()

    def another_login(self) -> paramiko.Transport:
        """A second SSH login on the device, for files: checked like the first, ended by `abort`, closed by the caller.

        Raises Unreachable, AuthenticationFailed, HostKeyMismatch, SessionAborted, LeaseLost.
        """
        self._files = Link(self._target, self._key_folders)
        self._before_write()  # after an `abort` that did not find the second link, too
        return self._files.open_transport(self.trust)

    # ── errors ──

    @contextmanager
    def _call(self, lines: Sequence[str], timeout_s: float) -> Iterator[EventConnection]:
        """One call on the open session. Nothing is sent unless all is read and the device stands at its prompt."""
        connection = self._connection
        if connection is None:
            raise Unreachable(f"no session is open on {self._where}")
        _refuse_unsendable(lines, connection.encoding)
        self._sent = False
        try:
            if not self._link.line.alive():  # the kernel hears of it before paramiko's thread does
                raise PeerClosed("the device closed the session")
            if not connection.at_home(_REST_S):
                raise ReadTimeout("unread output")
            yield connection
        except CommandRejected:
            raise
        except Exception as error:  # netmiko's platform code raises what it likes; `call_failure` sorts it
            self._spent = True
            if self._link.aborted:
                raise SessionAborted(f"the call on {self._where} was aborted") from error
            raise call_failure(error, self._where, timeout_s, sent=self._sent) from error

    def _before_write(self) -> None:
        if self._link.aborted:
            raise SessionAborted(f"the session on {self._where} was aborted")
        self.guard()
        if self._connection is not None and self._connection.channel.closed():
            raise PeerClosed("the device closed the session")
        self._sent = True

    def _detect(self, connection: EventConnection) -> None:
        self.device_type = detect(connection, self._where)
        become(connection, self.device_type)
        self._refusals = Refusals(self.device_type)


def _refuse_unsendable(lines: Sequence[str], encoding: str) -> None:
    """Raises DriverError for a line that would be more than one line, or that the session's encoding lacks."""
    for number, line in enumerate(lines, start=1):
        if CONTROL.search(line):
            raise DriverError(f"line {number} contains a control character; nothing was sent")
        try:
            line.encode(encoding)
        except UnicodeEncodeError as error:
            raise DriverError(f"line {number} cannot be written in {encoding}; nothing was sent") from error
