"""One netmiko login on one device."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import paramiko
from netmiko.exceptions import ReadTimeout
from paramiko.ssh_exception import AuthenticationException

from drivers.base import Arguments, Guard, Reply, Report, Target, Verdict
from drivers.errors import AuthenticationFailed, CommandRejected, DriverError, SessionAborted, Unreachable
from drivers.netmiko.arguments import CONTROL, NetmikoConfig, NetmikoConnection, NetmikoQuery
from drivers.netmiko.change import Change
from drivers.netmiko.channels import PeerClosed
from drivers.netmiko.connection import EventConnection, connection_class
from drivers.netmiko.failure import call_failure, login_failure
from drivers.netmiko.login import Watch, parameters, ping
from drivers.netmiko.refusal import Refusals
from drivers.sockets import TcpLine

_IDLE_POLL_S = 10.0
"""How often paramiko's thread wakes up without data; its own 0.1 s costs a quarter of a core at 1,000 sessions."""

_REST_S = 0.25
"""How long late output may still take to end in the prompt before a job."""


class NetmikoSession:
    """A `drivers.base.Session`. A job that leaves the device at another prompt ends it: `alive` is then False."""

    def __init__(self, target: Target) -> None:
        assert isinstance(target.connection, NetmikoConnection)
        self.guard: Guard = lambda: None
        self._where = target.device_key
        self._login = target.connection
        self._line = TcpLine(target.host, target.port)
        self._refusals = Refusals(self._login.device_type)
        self._connection: EventConnection | None = None
        self._aborted = self._overdue = False  # ended from another thread: by `abort`, by the login's watch
        self._spent = False
        self._sent = False
        self._privileged: bool | None = None  # None: not looked at yet
        self._privileged_at_login: bool | None = None

    # ── life ──

    def open(self) -> None:
        """See `drivers.base.Session.open`."""
        watch = Watch(self._expire)
        try:
            sock = self._line.connect(self._login.timeout)
            connection = connection_class(self._login.device_type)(**parameters(self._login, sock))
            connection.gate = self._before_write
            self._connection = connection
            watch.arm(connection.conn_timeout + (connection.auth_timeout or 0) + self._login.timeout)
            connection.login(on_shell=lambda: watch.arm(2 * self._login.timeout))
            sock.settimeout(_IDLE_POLL_S)
        except Exception as error:  # netmiko's platform code raises what it likes; `_login_failure` sorts it
            watch.stop()
            failure = self._login_failure(error)
            self.close()
            raise failure from error
        finally:
            watch.stop()

    def alive(self) -> bool:
        """False if the session is known to be dead, or not to stand where jobs start from. Any thread."""
        connection = self._connection
        if connection is None or self._aborted or self._spent or connection.channel.closed():
            return False
        return self._line.alive() if self._login.telnet else _transport(connection).is_active()

    def ping(self, timeout_s: float) -> bool:
        """An SSH request that any server answers, within `timeout_s` seconds; for telnet no more than `alive`."""
        if self._connection is None or not self.alive():
            return False
        return self._login.telnet or ping(_transport(self._connection), timeout_s)

    def prompt(self) -> str:
        """The device's prompt as last seen, "" before the login."""
        return self._connection.prompt.text if self._connection else ""

    def abort(self) -> None:
        """End whatever the session's thread does by shutting its socket down. Any thread."""
        self._aborted = True
        self._line.abort()

    def close(self) -> None:
        """Close without a word to the command line. Idempotent."""
        self._spent = True
        self._line.abort()
        client = getattr(self._connection, "remote_conn_pre", None)
        transport = client.get_transport() if client else None
        if client is not None and transport is not None:
            if transport.is_alive():
                transport.join(1.0)  # ends now that its socket is shut down; before, nobody may reuse its descriptor
            client.close()
        self._line.close()

    # ── work ──

    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        """See `drivers.base.Session.run_commands`."""
        assert isinstance(args, NetmikoQuery)
        default = True if self._login.secret is not None else None
        with self._call(commands, args.read_timeout) as connection:
            self._privilege(connection, default if args.enable_mode is None else args.enable_mode)
            home = connection.prompt
            refused = [command for command in commands if self._ask(connection, command, args, report)]
            stays = args.expect_string is None or connection.at_home(_REST_S)  # a text may end a command at a question
            self._spent = not (stays and home.is_like(connection.prompt.text))
            if refused:
                raise CommandRejected(
                    f"{len(refused)} of {len(commands)} commands were refused, the first: {refused[0]}"
                )

    def apply_config(self, lines: Sequence[str], args: Arguments, report: Report) -> None:
        """See `drivers.base.Session.apply_config`."""
        assert isinstance(args, NetmikoConfig)
        with self._call(lines, args.read_timeout) as connection:
            self._privilege(connection, True if args.enable_mode is None else args.enable_mode)
            change = Change(connection, args, report)
            change.apply(lines)
            if args.save:
                change.save()
            self._spent = not args.exit_config_mode

    def _ask(self, connection: EventConnection, command: str, args: NetmikoQuery, report: Report) -> bool:
        """Run one command and report it; True if it was refused."""
        if args.expect_string is not None:
            connection.drop_unread()  # where the literal text stood in the middle of the output before
        elif not connection.settle(args.read_timeout):
            raise ReadTimeout("late output did not end")
        started, clock = datetime.now(UTC), time.perf_counter()
        output = connection.send_command(
            command,
            expect_string=None if args.expect_string is None else re.escape(args.expect_string),
            **args.model_dump(include={"read_timeout", "strip_prompt", "strip_command", "normalize", "cmd_verify"}),
        )
        refused = self._refusals.in_answer(output)
        verdict = Verdict.REFUSED if refused else Verdict.DONE
        report(Reply(command, output, verdict, started, time.perf_counter() - clock, exit_status=int(refused)))
        return refused

    def _privilege(self, connection: EventConnection, wanted: bool | None) -> None:
        """Enter or leave enable mode. A session that its login made privileged stays so."""
        if wanted is None or wanted is self._privileged:
            return
        privileged = connection.check_enable_mode()
        if self._privileged_at_login is None:
            self._privileged_at_login = privileged
        if wanted and not privileged:
            self._enable(connection)
            privileged = True
        elif privileged and not wanted and not self._privileged_at_login:
            with connection.answering():
                connection.exit_enable_mode()
            privileged = False
        self._privileged = privileged
        connection.relearn()

    def _enable(self, connection: EventConnection) -> None:
        try:
            with connection.answering():
                connection.enable()
        except (ValueError, ReadTimeout, AuthenticationException) as error:
            why = (
                "refused the enable password"
                if connection.secret
                else "wants an enable password, and there is no secret"
            )
            raise AuthenticationFailed(f"{self._where} {why}") from error

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
            if not connection.at_home(_REST_S):
                raise ReadTimeout("unread output")
            yield connection
        except CommandRejected:
            raise
        except Exception as error:  # netmiko's platform code raises what it likes; `call_failure` sorts it
            self._spent = True
            if self._aborted:
                raise SessionAborted(f"the call on {self._where} was aborted") from error
            raise call_failure(error, self._where, timeout_s, sent=self._sent) from error

    def _before_write(self) -> None:
        if self._aborted:
            raise SessionAborted(f"the session on {self._where} was aborted")
        self.guard()
        if self._connection is not None and self._connection.channel.closed():
            raise PeerClosed("the device closed the session")
        self._sent = True

    def _expire(self) -> None:
        self._overdue = True
        self._line.abort()

    def _login_failure(self, error: Exception) -> DriverError:
        if self._aborted:
            return SessionAborted(f"the login on {self._where} was aborted")
        if self._overdue:
            return Unreachable(f"{self._where} did not finish the login in time")
        return login_failure(error, self._where, self._connection.tail if self._connection else "")


def _transport(connection: EventConnection) -> paramiko.Transport:
    transport = connection.remote_conn_pre.get_transport() if connection.remote_conn_pre else None
    assert transport is not None
    return transport


def _refuse_unsendable(lines: Sequence[str], encoding: str) -> None:
    """Raises DriverError for a line that would be more than one line, or that the session's encoding lacks."""
    for number, line in enumerate(lines, start=1):
        if CONTROL.search(line):
            raise DriverError(f"line {number} contains a control character; nothing was sent")
        try:
            line.encode(encoding)
        except UnicodeEncodeError as error:
            raise DriverError(f"line {number} cannot be written in {encoding}; nothing was sent") from error
