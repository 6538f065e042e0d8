"""The SCP protocol (OpenSSH `scp.c`) for one file. The package that netmiko uses for it knows files on disk only."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Protocol

import paramiko

from drivers.base import Sink, Source
from drivers.errors import CommandRejected, DriverError, SessionLost

_PIECE = 32_768
_LONGEST_LINE = 4096


class Digest(Protocol):
    """What hashlib makes."""

    def update(self, data: bytes, /) -> None:
        """Take more."""


class Scp:
    """One file over `channel`, whose timeout is the longest silence. `gate` is called before every write."""

    def __init__(self, channel: paramiko.Channel, gate: Callable[[], None]) -> None:
        self._channel = channel
        self._gate = gate

    def upload(self, path: str, source: Source, digest: Digest) -> None:
        """Raises CommandRejected, SessionLost, TimeoutError, and what `Source.read` raises."""
        self._run(f"scp -t {shlex.quote(path)}")
        self._acknowledged()
        self._send(f"C0644 {source.size} {path.rpartition('/')[2]}\n".encode())
        self._acknowledged()
        offset = 0
        while piece := source.read(offset, _PIECE):
            digest.update(piece)
            self._send(piece)
            offset += len(piece)
        self._send(b"\0")
        self._acknowledged()

    def download(self, path: str, sink: Sink, digest: Digest) -> int:
        """Returns the size. Raises CommandRejected, SessionLost, TimeoutError, and what `Sink.append` raises."""
        self._run(f"scp -f {shlex.quote(path)}")
        self._send(b"\0")
        size = left = self._announced()
        self._send(b"\0")
        while left:
            piece = self._receive(min(left, _PIECE))
            digest.update(piece)
            sink.append(piece)
            left -= len(piece)
        self._acknowledged()
        self._send(b"\0")
        return size

    def _run(self, command: str) -> None:
        self._gate()
        self._channel.exec_command(command)

    def _send(self, data: bytes) -> None:
        self._gate()
        try:
            self._channel.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            raise self._ended() from error

    def _receive(self, most: int) -> bytes:
        if piece := self._channel.recv(most):
            return piece
        raise self._ended()

    def _ended(self) -> DriverError:
        """The device has closed the channel: by itself, or because the connection is gone."""
        if self._channel.get_transport().is_active():
            return CommandRejected("the device refused the transfer, or ended it before the file was whole")
        return SessionLost("the connection was lost before the file was whole")

    def _acknowledged(self) -> None:
        if self._receive(1) != b"\0":
            self._line()  # what it says goes into no message
            raise CommandRejected("the device refused the transfer")

    def _announced(self) -> int:
        """The size, from the device's `C<mode> <size> <name>`."""
        kind, line = self._receive(1), self._line()
        words = line.split(b" ")
        if kind != b"C" or len(words) < 3 or not words[1].isdigit():
            raise CommandRejected("the device refused the transfer")
        return int(words[1])

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\n") and len(line) < _LONGEST_LINE:
            line += self._receive(1)
        return line
