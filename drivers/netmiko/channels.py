"""Channels that wait for data instead of sleeping, and tell a closed connection from a silent one."""

from __future__ import annotations

import select
import socket
import threading

import paramiko
from netmiko._telnetlib.telnetlib import Telnet
from netmiko.channel import Channel
from netmiko.exceptions import ReadException

_PIECE = 65_536
_MOST = 1_048_576
"""Bytes taken at once: the reader looks at its clock in between, however fast a device goes on talking."""


class PeerClosed(ReadException, EOFError):
    """The connection is gone. Also an EOFError: netmiko's telnet logins expect that."""


class EventChannel(Channel):
    """netmiko's channel over a paramiko shell, with an event for "there is something to read, or it is closed".

    The event is set and cleared by paramiko under its buffer's own lock (`BufferedPipe.set_event`), so it cannot be
    lost between a read that found nothing and the wait after it.
    """

    def __init__(self, shell: paramiko.Channel) -> None:
        self._shell = shell
        self._ready = threading.Event()
        shell.in_buffer.set_event(self._ready)

    def wait(self, timeout_s: float | None) -> bool:
        """Until there is something to read, or the connection closed; False if `timeout_s` seconds passed before."""
        return self._ready.wait(timeout_s)

    def pending(self) -> bool:
        """Whether anything is unread (true of a closed connection as well)."""
        return self._ready.is_set()

    def receive(self) -> bytes:
        """What is there, at most a mebibyte or so, without waiting. Raises PeerClosed at the end."""
        parts: list[bytes] = []
        while self._shell.recv_ready() and len(parts) * _PIECE < _MOST:
            parts.append(self._shell.recv(_PIECE))
        if not parts and self.closed():
            raise PeerClosed("the device closed the session")
        return b"".join(parts)

    def closed(self) -> bool:
        """Whether nothing will come any more and nothing is left to read."""
        return bool(self._shell.closed or self._shell.eof_received) and not self._shell.recv_ready()

    def send(self, data: bytes) -> None:
        """Raises OSError if the connection is closed."""
        self._shell.sendall(data)

    def read_buffer(self) -> str:
        raise NotImplementedError("EventConnection.read_channel decodes; nothing else reads")

    def read_channel(self) -> str:
        raise NotImplementedError("EventConnection.read_channel decodes; nothing else reads")

    def write_channel(self, out_data: str) -> None:
        raise NotImplementedError("EventConnection.write_channel encodes; nothing else writes")


class LineTelnet(Telnet):
    """netmiko's telnet client on a socket that is connected already."""

    def __init__(self, sock: socket.socket, host: str, port: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the standard library's old telnetlib
        self.sock, self.host, self.port = sock, host, port

    def line(self) -> socket.socket | None:
        """The socket, None once closed."""
        return self.sock

    def take(self) -> bytes:
        """What is there, without waiting; b"" if nothing. Raises EOFError at the end."""
        piece: bytes = self.read_eager()  # type: ignore[no-untyped-call]
        return piece

    def put(self, data: bytes) -> None:
        """Send all of `data`."""
        self.write(data)  # type: ignore[no-untyped-call]


class TelnetEventChannel(EventChannel):
    """The same for telnet: waits on the socket, since no thread reads ahead."""

    def __init__(self, telnet: LineTelnet) -> None:
        self._telnet = telnet
        self._ended = False

    def wait(self, timeout_s: float | None) -> bool:
        sock = self._telnet.line()
        if sock is None or sock.fileno() < 0:
            return True
        poller = select.poll()
        poller.register(sock, select.POLLIN)
        return bool(poller.poll(None if timeout_s is None else timeout_s * 1000))

    def pending(self) -> bool:
        return self.wait(0)

    def receive(self) -> bytes:
        parts = bytearray()
        try:
            while len(parts) < _MOST and (piece := self._telnet.take()):
                parts += piece
        except (EOFError, OSError) as error:
            self._ended = True
            if not parts:
                raise PeerClosed("the device closed the session") from error
        return bytes(parts)

    def closed(self) -> bool:
        return self._ended

    def send(self, data: bytes) -> None:
        if self._telnet.line() is None:
            raise PeerClosed("the device closed the session")
        self._telnet.put(data)
