"""TCP connections that another thread can end at any moment, even while they are being made."""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from drivers.base import AnyKey, Guard, Session, Target, Trust, device_key
from drivers.errors import SessionAborted, Unreachable

_SLICE_S = 0.05
"""How often a connect in progress looks for `abort`: `shutdown` wakes it on Linux, elsewhere it may not."""

_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 30_000))
"""Seconds idle, seconds between probes, probes; milliseconds that sent data may stay unacknowledged."""

_Address = tuple[int, Any]  # address family, socket address


class TcpLine:
    """One TCP connection: made once by one thread, ended from any.

    `sock` is the connected socket, None before `connect` returned.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.sock: socket.socket | None = None
        self._pending: socket.socket | None = None
        self._aborted = threading.Event()

    def connect(self, timeout_s: float) -> socket.socket:
        """Resolve and connect within `timeout_s` seconds, addresses in the resolver's order.

        Raises Unreachable (does not resolve, refused, no answer) and SessionAborted.
        """
        deadline = time.monotonic() + timeout_s
        addresses = _resolve(self.host, self.port, timeout_s, self._aborted)
        failure: OSError = TimeoutError()
        for position, address in enumerate(addresses):
            share = (deadline - time.monotonic()) / (len(addresses) - position)
            try:
                self.sock = self._dial(address, share)
            except OSError as error:
                failure = error
            else:
                if self._aborted.is_set():  # between two of the names under which `abort` finds it
                    _shut_down(self.sock)
                return self.sock
        raise Unreachable(self._why(failure, timeout_s)) from failure

    def abort(self) -> None:
        """End the connection, or the attempt to make it, now. Any thread, any number of times."""
        self._aborted.set()
        for sock in (self._pending, self.sock):
            if sock is not None:
                _shut_down(sock)

    def close(self) -> None:
        """End the connection and give its descriptor back."""
        self.abort()
        if self.sock is not None:
            self.sock.close()

    def alive(self) -> bool:
        """False if the peer is known to be gone. Reads nothing, waits for nothing."""
        if self._aborted.is_set() or self.sock is None:
            return False
        if self.sock.fileno() < 0:
            return False
        poller = select.poll()
        poller.register(self.sock, getattr(select, "POLLRDHUP", 0))
        return not poller.poll(0)

    def _dial(self, address: _Address, timeout_s: float) -> socket.socket:
        family, where = address
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            self._pending = sock  # from here on `abort` finds it
            self._await(sock, sock.connect_ex(where), time.monotonic() + timeout_s)
            sock.settimeout(timeout_s)
            _set_options(sock)
        except BaseException:
            sock.close()
            raise
        finally:
            self._pending = None
        return sock

    def _await(self, sock: socket.socket, code: int, deadline: float) -> None:
        waiting = code in (errno.EINPROGRESS, errno.EWOULDBLOCK)
        while waiting and not self._aborted.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            waiting = not _writable(sock, min(left, _SLICE_S))
        if self._aborted.is_set():  # looked at after connect_ex: an abort before it had nothing to shut down
            raise SessionAborted("the connection was aborted while it was being made")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if code in (0, errno.EINPROGRESS) else code
        if code:
            raise OSError(code, os.strerror(code))

    def _why(self, failure: OSError, timeout_s: float) -> str:
        where = device_key(self.host, self.port)
        if isinstance(failure, ConnectionRefusedError) or failure.errno == errno.ECONNREFUSED:
            return f"{where} refused the connection"
        if isinstance(failure, TimeoutError):
            return f"{where} gave no answer in {timeout_s:g} s"
        return f"{where} cannot be reached: {failure.strerror or 'the connection failed'}"


class LineSession(Session):
    """The base of a session that is one TCP connection: whether it lives, and how it ends, is the connection's."""

    def __init__(self, target: Target) -> None:
        self.line = TcpLine(target.host, target.port)
        self.guard: Guard = lambda: None
        self.trust: Trust = AnyKey()

    def alive(self) -> bool:
        """See `drivers.base.Session.alive`."""
        return self.line.alive()

    def abort(self) -> None:
        """See `drivers.base.Session.abort`."""
        self.line.abort()

    def close(self) -> None:
        """See `drivers.base.Session.close`."""
        self.line.close()


def _resolve(host: str, port: int, timeout_s: float, aborted: threading.Event) -> list[_Address]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _resolve_name(host, port, timeout_s, aborted)
    return _look_up(host, port)


def _resolve_name(host: str, port: int, timeout_s: float, aborted: threading.Event) -> list[_Address]:
    """Ask the resolver in a thread of its own: `getaddrinfo` can be neither timed nor interrupted."""
    answer: list[list[_Address] | OSError] = []
    done = threading.Event()

    def ask() -> None:
        try:
            answer.append(_look_up(host, port))
        except OSError as error:
            answer.append(error)
        done.set()

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    deadline = time.monotonic() + timeout_s
    while not done.wait(_SLICE_S):
        if aborted.is_set():
            raise SessionAborted("the connection was aborted while its name was being resolved")
        if time.monotonic() >= deadline:
            raise Unreachable(f"the name {host} was not resolved in {timeout_s:g} s")
    if isinstance(answer[0], OSError):
        raise Unreachable(f"the name {host} does not resolve") from answer[0]
    return answer[0]


def _look_up(host: str, port: int) -> list[_Address]:
    return [(found[0], found[4]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _writable(sock: socket.socket, timeout_s: float) -> bool:
    poller = select.poll()  # not select(): descriptors above 1023 are common in a worker
    poller.register(sock, select.POLLOUT)
    return bool(poller.poll(timeout_s * 1000))


def _set_options(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):  # macOS lacks some
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # not connected yet, or already gone: either way it is over
        sock.shutdown(socket.SHUT_RDWR)
