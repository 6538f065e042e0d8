"""One connection to a device: made by one thread, ended from any."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import paramiko

from drivers.base import Guard, Target, Trust
from drivers.errors import DriverError, SessionAborted, Unreachable
from drivers.netmiko.arguments import NetmikoConnection
from drivers.netmiko.connection import EventConnection, connection_class
from drivers.netmiko.failure import login_failure
from drivers.netmiko.login import Watch, parameters
from drivers.sockets import TcpLine
from drivers.ssh.jump import Jump, Line
from drivers.ssh.login import Login, end, transport_on
from drivers.ssh.ping import ping

_IDLE_POLL_S = 10.0
"""How often paramiko's thread wakes up without data; its own 0.1 s costs a quarter of a core at 1,000 sessions."""


class Link:
    """A line, and netmiko's object on it. `connection` is None before `open`."""

    def __init__(self, target: Target, key_folders: Sequence[Path]) -> None:
        assert isinstance(target.connection, NetmikoConnection)
        self.connection: EventConnection | None = None
        self._transport: paramiko.Transport | None = None  # one without a shell
        self.aborted = False
        self._overdue = False
        self._where = target.device_key
        self._login = target.connection
        self._key_folders = key_folders
        self.line = _line_to(target, self._login, key_folders)

    def open(
        self, trust: Trust, gate: Guard, finish: Callable[[EventConnection], None] | None = None, finish_s: float = 0.0
    ) -> EventConnection:
        """Log in; `finish` does what else belongs to that, within `finish_s` more seconds.

        Raises what `drivers.base.Session.open` raises; the link is closed then.
        """

        watch = Watch(self._expire)
        try:
            return self._logged_in(trust, gate, watch, finish, finish_s)
        except Exception as error:  # netmiko's platform code raises what it likes; `_failure` sorts it
            watch.stop()
            failure = self._failure(error)
            self.close()
            raise failure from error
        finally:
            watch.stop()

    def _logged_in(
        self,
        trust: Trust,
        gate: Guard,
        watch: Watch,
        finish: Callable[[EventConnection], None] | None,
        finish_s: float,
    ) -> EventConnection:
        sock = self._socket(trust)
        kind = connection_class(self._login.device_type)
        connection = self.connection = kind(**parameters(self._login, sock, self._key_folders))
        connection.gate, connection.trust, connection.address = gate, trust, self._where
        watch.arm(connection.conn_timeout + (connection.auth_timeout or 0) + self._login.timeout)
        connection.login(on_shell=lambda: watch.arm(2 * self._login.timeout))
        if finish is not None:
            watch.arm(finish_s + 2 * self._login.timeout)
            finish(connection)
        sock.settimeout(_IDLE_POLL_S)
        return connection

    def open_transport(self, trust: Trust) -> paramiko.Transport:
        """Log in by SSH without a shell, for another to close. Raises what `open` raises."""
        given = parameters(self._login, self._socket(trust), self._key_folders)
        names = ("username", "password", "pkey", "banner_timeout", "auth_timeout", "disabled_algorithms")
        login = Login(self._where, **{name: given[name] for name in names})
        self._transport = transport_on(given["sock"], login, trust)
        return self._transport

    def alive(self) -> bool:
        """False if it is known to be dead. Any thread."""
        connection = self.connection
        if connection is None or self.aborted or connection.channel.closed():
            return False
        return self.line.alive() and (self._login.telnet or transport_of(connection).is_active())

    def ping(self, timeout_s: float) -> bool:
        """An SSH request that any server answers, within `timeout_s` seconds; for telnet no more than `alive`."""
        if self.connection is None or not self.alive():
            return False
        return self._login.telnet or ping(transport_of(self.connection), timeout_s)

    def abort(self) -> None:
        """End whatever its thread does by shutting its socket down. Any thread."""
        self.aborted = True
        self.line.abort()

    def close(self) -> None:
        """Close without a word to the command line. Idempotent."""
        self.line.abort()
        client = getattr(self.connection, "remote_conn_pre", None)
        for transport in (self._transport, client.get_transport() if client else None):
            if transport is not None:
                if transport.is_alive():
                    transport.join(1.0)  # it ends now that its socket is shut down; nobody may reuse that before
                end(transport)
        self.line.close()

    def _socket(self, trust: Trust) -> socket.socket | paramiko.Channel:
        if isinstance(self.line, Jump):
            self.line.trust = trust
        return self.line.connect(self._login.timeout)

    def _expire(self) -> None:
        self._overdue = True
        self.line.abort()

    def _failure(self, error: Exception) -> DriverError:
        if self.aborted:
            return SessionAborted(f"the login on {self._where} was aborted")
        if self._overdue:
            return Unreachable(f"{self._where} did not finish the login in time")
        return login_failure(error, self._where, self.connection.tail if self.connection else "")


def transport_of(connection: EventConnection) -> paramiko.Transport:
    """The SSH transport of an open connection."""
    transport = connection.remote_conn_pre.get_transport() if connection.remote_conn_pre else None
    assert transport is not None
    return transport


def _line_to(target: Target, login: NetmikoConnection, key_folders: Sequence[Path]) -> Line:
    if login.proxy_host is None:
        return TcpLine(target.host, target.port)
    return Jump(login, target.host, target.port, key_folders)
