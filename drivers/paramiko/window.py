"""SFTP reads and writes with many requests under way: one at a time would wait for the network after every 32 kB.

paramiko's own pipelined writes drop the server's errors, and its prefetching reads need a thread; so this speaks to its
request table directly (`SFTPClient._async_request`, private; tests hold it).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import paramiko
from paramiko.message import Message
from paramiko.sftp import CMD_DATA, CMD_READ, CMD_STATUS, CMD_WRITE, int64

PIECE = 32_768
"""Bytes of one request: the most that every server takes."""

_UNDER_WAY = 64
"""Requests: 2 MB, as OpenSSH's own sftp."""


class Writes:
    """Writes into an open file at given offsets. Errors of the server are raised by a later call."""

    def __init__(self, sftp: paramiko.SFTPClient, file: paramiko.SFTPFile) -> None:
        self._sftp, self._handle = sftp, file.handle
        self._open: set[int] = set()

    def write(self, offset: int, data: bytes) -> None:
        """Send `data`; waits only while too much is under way. Raises OSError."""
        for start in range(0, len(data), PIECE):
            while len(self._open) >= _UNDER_WAY:
                self._sftp._read_response()  # type: ignore[attr-defined]
            piece = data[start : start + PIECE]
            self._open.add(_send(self._sftp, self, CMD_WRITE, self._handle, int64(offset + start), piece))

    def finish(self) -> None:
        """Wait until all is written. Raises OSError."""
        while self._open:
            self._sftp._read_response()  # type: ignore[attr-defined]

    def _async_response(self, kind: int, message: Message, number: int) -> None:
        """Called by paramiko with each answer."""
        self._open.discard(number)
        if kind == CMD_STATUS:
            self._sftp._convert_status(message)  # type: ignore[attr-defined]


class Reads:
    """The bytes of an open file from `offset` up to `end`, in order."""

    def __init__(self, sftp: paramiko.SFTPClient, file: paramiko.SFTPFile, offset: int, end: int) -> None:
        self._sftp, self._handle = sftp, file.handle
        self._next, self._end = offset, end
        self._asked: deque[tuple[int, int, int]] = deque()  # request number, offset, size
        self._come: dict[int, bytes] = {}

    def pieces(self) -> Iterator[bytes]:
        """Ends early where the file does. Raises OSError."""
        self._fill()
        while self._asked:
            number, offset, size = self._asked.popleft()
            data = self._answer(number)
            if not data:
                return
            yield data
            if len(data) < size:  # a server may give less than asked: the rest comes next
                rest = offset + len(data), size - len(data)
                self._asked.appendleft((self._ask(*rest), *rest))
            self._fill()

    def _fill(self) -> None:
        while len(self._asked) < _UNDER_WAY and self._next < self._end:
            size = min(PIECE, self._end - self._next)
            self._asked.append((self._ask(self._next, size), self._next, size))
            self._next += size

    def _ask(self, offset: int, size: int) -> int:
        return _send(self._sftp, self, CMD_READ, self._handle, int64(offset), size)

    def _answer(self, number: int) -> bytes:
        while number not in self._come:
            self._sftp._read_response()  # type: ignore[attr-defined]
        return self._come.pop(number)

    def _async_response(self, kind: int, message: Message, number: int) -> None:
        """Called by paramiko with each answer."""
        if kind == CMD_DATA:
            self._come[number] = message.get_string()
            return
        try:
            self._sftp._convert_status(message)  # type: ignore[attr-defined]
        except EOFError:
            self._come[number] = b""


def _send(sftp: paramiko.SFTPClient, hears: Writes | Reads, *request: object) -> int:
    """Send a request without waiting; `hears` is told the answer. Returns the request's number."""
    number: int = sftp._async_request(hears, *request)  # type: ignore[attr-defined]
    return number
