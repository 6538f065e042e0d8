"""One HTTP connection that is kept, with an end to how long and how large an answer may be."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection
from typing import Any

from drivers.errors import TooLarge
from drivers.sockets import TcpLine

LONGEST_ANSWER = 32_000_000
"""Bytes; a device that goes on for ever must not take the worker's memory."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one request."""

    status: int
    headers: Message
    body: bytes


class Wire:
    """HTTP on the open connection `line`, spoken through `sock`: the line's own socket, or TLS on top of it."""

    def __init__(self, line: TcpLine, sock: socket.socket) -> None:
        self._line = line
        self._sock = sock
        self._timed = _Timed(sock)
        self._http = HTTPConnection(line.host, line.port)
        self._http.auto_open = 0  # never behind our back
        self._http.sock = self._timed

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Answer:
        """Send a request and read all of the answer within `timeout_s` seconds.

        Raises TimeoutError, TooLarge; OSError and HTTPException when the peer breaks off or does not speak HTTP.
        """
        self._timed.deadline = time.monotonic() + timeout_s
        self._http.request(method, path, body, headers)
        response = self._http.getresponse()
        with response:
            content = response.read(LONGEST_ANSWER + 1)
            if len(content) > LONGEST_ANSWER:
                raise TooLarge(f"{self._line.host} said more than {LONGEST_ANSWER:,} bytes to one request")
            if response.length:
                raise ConnectionResetError
        return Answer(response.status, response.headers, content)

    def alive(self) -> bool:
        """False if the peer is known to have closed, or has said that it will."""
        return self._http.sock is not None and self._line.alive()

    def close(self) -> None:
        """End the connection and give its descriptors back."""
        self._line.close()
        self._sock.close()


class _Timed:
    """A socket as `http.client` uses one; its reads and writes share one deadline, in whatever pieces they come."""

    def __init__(self, sock: socket.socket) -> None:
        self.deadline = 0.0
        self._sock = sock

    def sendall(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._armed().send(view) :]

    def receive(self, buffer: Any) -> int:
        return self._armed().recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """Left to `Wire.close`: `http.client` closes before it has read an answer that ends with the connection."""

    def _armed(self) -> socket.socket:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._sock


class _Reader(io.RawIOBase):
    def __init__(self, timed: _Timed) -> None:
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._timed.receive(buffer)
