"""pyeapi's connection, kept open: one TCP and TLS connection for many requests, and nobody unchecked at its end."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from collections.abc import Sequence
from http.client import HTTPException
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any

from pyeapi.eapilib import EapiConnection

from drivers.base import AnyKey, Guard, Trust
from drivers.errors import (
    AuthenticationFailed,
    DriverError,
    ReplyTimeout,
    SessionAborted,
    SessionLost,
    Unreachable,
)
from drivers.pyeapi.arguments import PyeapiConnection
from drivers.pyeapi.certificates import context, secure
from drivers.pyeapi.reading import decoded
from drivers.pyeapi.wire import Answer, Wire
from drivers.sockets import TcpLine
from drivers.ssh.fields import CONTROL

_REFUSED = (401, 403)


class EapiTransport(EapiConnection):  # type: ignore[misc]  # pyeapi has no types
    """A `pyeapi.eapilib.EapiConnection`, so that `pyeapi.client.Node` works on it, and NAPALM's eos driver on that.

    The device's refusals are pyeapi's CommandError, all other failures are DriverErrors. `timeout_s` is what each
    request may take. `sent` is set when a request for the command line is about to be written; its owner resets it.
    """

    def __init__(self, login: PyeapiConnection, key_folders: Sequence[Path] = ()) -> None:
        super().__init__()
        self.guard: Guard = lambda: None
        self.trust: Trust = AnyKey()
        self.timeout_s = login.timeout
        self.sent = False
        self._login = login.canonical()
        self._folders = key_folders
        self._line = TcpLine(self._login.host, self._login.port or 0)
        self._wire: Wire | None = None
        self._aborted = False
        self._identity = _basic(self._login)
        self._numbers = itertools.count(1)
        self._number = ""

    def __str__(self) -> str:
        return f"eAPI on {self._login.address}"

    __repr__ = __str__

    # ── life ──

    def open(self) -> None:
        """Log in where that is a step of its own; else connecting is left to the first request.

        Connected ahead, a connection that broke before the request would be made anew, and nobody told.
        Raises Unreachable, AuthenticationFailed, HostKeyMismatch, SessionAborted, LeaseLost.
        """
        if self._login.transport == "https_session":
            self._log_in()

    def alive(self) -> bool:
        """False if the connection is known to be closed. Any thread."""
        wire = self._wire
        return wire is not None and not self._aborted and wire.alive()

    def ping(self, timeout_s: float) -> bool:
        """Ask the device's web server, without a login, for a sign of life."""
        if self._wire is None or not self.alive():
            return False
        try:
            self._wire.exchange("GET", "/", {}, None, timeout_s)
        except (OSError, HTTPException, DriverError):
            self.close()
            return False
        return self.alive()

    def abort(self) -> None:
        """End whatever goes on. Any thread, any number of times."""
        self._aborted = True
        self._line.abort()

    def close(self) -> None:
        """Close without a word. Idempotent."""
        self._line.close()
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    # ── pyeapi's own calls ──

    def request(self, commands: Any, encoding: str | None = None, reqid: Any = None, **kwargs: Any) -> str:  # noqa: ARG002 (the number is ours)
        """As pyeapi does it, with a number that no other request has: an answer to another one is found out."""
        self._number = str(next(self._numbers))
        request: str = super().request(commands, encoding, self._number, **kwargs)
        return request

    def send(self, data: str) -> dict[str, Any]:
        """Send a request made by `request`; returns the decoded answer.

        Raises CommandError where the device refuses a command; AuthenticationFailed, ReplyTimeout, SessionLost,
        SessionAborted, LeaseLost, TooLarge; Unreachable if the connection had to be made anew and could not be.
        """
        answer = self._ask(data)
        if answer.status in _REFUSED and self._login.transport == "https_session":
            self._log_in()  # the cookie's time was over, and nothing was run
            answer = self._ask(data)
        if answer.status in _REFUSED:
            raise AuthenticationFailed(f"{self._login.address} refused the login")
        if answer.status != 200:
            raise _not_run(self._login.address, answer.status)
        return decoded(answer.body, self._number, self._login.address)

    # ── HTTP ──

    def _ask(self, data: str) -> Answer:
        wire = self._open_wire()
        self._before_write()
        self.sent = True
        headers = {"Content-Type": "application/json-rpc", **self._identity}
        return self._exchange(wire, "/command-api", headers, data, self.timeout_s)

    def _log_in(self) -> None:
        wire = self._open_wire()
        self._before_write()
        secret = self._login.password.get_secret_value() if self._login.password else ""
        data = json.dumps({"username": self._login.username, "password": secret})
        try:
            answer = self._exchange(wire, "/login", {"Content-Type": "application/json"}, data, self._login.timeout)
        except (SessionLost, ReplyTimeout) as error:
            raise Unreachable(f"{self._login.address} did not finish the login") from error
        if answer.status in _REFUSED:
            raise AuthenticationFailed(f"{self._login.address} refused the login")
        self._identity = {"Cookie": self._cookie(answer)}

    def _cookie(self, answer: Answer) -> str:
        try:
            jar = SimpleCookie("; ".join(answer.headers.get_all("Set-Cookie") or ()))
        except CookieError:
            jar = SimpleCookie()
        cookie = "; ".join(f"{name}={morsel.coded_value}" for name, morsel in jar.items())
        if answer.status != 200 or not cookie or CONTROL.search(cookie):
            raise Unreachable(f"{self._login.address} has no cookie login: use the transport https")
        return cookie

    def _exchange(self, wire: Wire, path: str, headers: dict[str, str], data: str, timeout_s: float) -> Answer:
        where = self._login.address
        try:
            return wire.exchange("POST", path, headers, data.encode(), timeout_s)
        except BaseException as error:
            self.close()  # what is still to come must not be taken for the next answer
            if not isinstance(error, (OSError, HTTPException)):
                raise
            if self._aborted:
                raise SessionAborted(f"the call on {where} was aborted") from error
            if isinstance(error, TimeoutError):
                raise ReplyTimeout(f"{where} did not answer within {timeout_s:g} s") from error
            raise SessionLost(f"{where} closed the connection after something was sent") from error

    # ── the connection ──

    def _open_wire(self) -> Wire:
        """The kept connection; a new one if the peer has closed it since, which is known before anything is sent."""
        if self._wire is None or not self._wire.alive():
            self._connect()
        assert self._wire is not None
        return self._wire

    def _connect(self) -> None:
        self.close()
        login = self._login
        self._line = line = TcpLine(login.host, login.port or 0)
        if self._aborted:  # from here on `abort` finds the new line
            raise SessionAborted(f"the login on {login.address} was aborted")
        sock = line.connect(min(login.timeout, self.timeout_s))  # which limits the handshake too
        if login.transport == "http":
            self._wire = Wire(line, sock)
            return
        try:
            self._wire = Wire(line, secure(sock, context(login, self._folders), login, self.trust))
        except OSError as error:
            if self._aborted:
                raise SessionAborted(f"the login on {login.address} was aborted") from error
            raise Unreachable(f"{login.address} broke off the TLS handshake, or fell silent") from error

    def _before_write(self) -> None:
        if self._aborted:
            raise SessionAborted(f"the session on {self._login.address} was aborted")
        self.guard()


def _basic(login: PyeapiConnection) -> dict[str, str]:
    if login.password is None or login.transport == "https_session":
        return {}
    pair = f"{login.username}:{login.password.get_secret_value()}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _not_run(where: str, status: int) -> DriverError:
    if status >= 500:  # the web server is there; its word to the command line may have arrived or not
        return SessionLost(f"{where} answered with the HTTP status {status}: its eAPI may be gone")
    return DriverError(f"{where} answered with the HTTP status {status}: is its eAPI switched on?")
