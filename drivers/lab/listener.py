"""One device's door: a listening socket that accepts, or does not, as the device's faults say."""

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from typing import Any, Protocol

import asyncssh

from drivers.lab.device import Device
from drivers.lab.faults import Drop, RefuseConnect, Silent
from drivers.lab.record import Journal
from drivers.lab.server import Door, set_linger
from drivers.lab.users import Credentials

_BACKLOG = 128


class Service(Protocol):
    """What is behind a door."""

    async def serve(self, client: socket.socket) -> None:
        """See to a client, at least until it is logged in."""

    def send_away(self) -> None:
        """Close every connection."""

    def tasks(self) -> Iterable[asyncio.Task[Any]]:
        """What still runs for clients that `serve` is done with."""


class SshService:
    """SSH logins and sessions on one device."""

    def __init__(
        self, device: Device, journal: Journal, credentials: Credentials, options: asyncssh.SSHServerConnectionOptions
    ) -> None:
        self._device, self._journal, self._credentials, self._options = device, journal, credentials, options
        self._doors: set[Door] = set()

    async def serve(self, client: socket.socket) -> None:
        """See a client through its login; from there on asyncssh calls us."""
        door = Door(self._device, self._journal, self._credentials, client, self._doors)
        # A client may leave, or fail, at any point of the handshake: nothing to report.
        with contextlib.suppress(OSError, asyncssh.Error, asyncio.CancelledError):
            await asyncssh.run_server(client, options=self._options, server_factory=lambda: door)

    def send_away(self) -> None:
        for door in list(self._doors):
            door.abort()

    def tasks(self) -> Iterable[asyncio.Task[Any]]:
        return [door.task for door in self._doors if door.task is not None]


class Listener:
    """Admits the clients of one device to one service. `address` is where, once bound."""

    def __init__(self, device: Device, journal: Journal, service: Service) -> None:
        self._device, self._journal, self._service = device, journal, service
        self.address = ("", 0)
        self._socket: socket.socket | None = None
        self._open = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._silent: list[socket.socket] = []
        self._coming_up: asyncio.TimerHandle | None = None

    def bind(self, host: str, port: int) -> None:
        """Take an address (port 0: a free one) and listen. Raises OSError when it is taken."""
        self._bind(host, port)
        self.address = self._sockname()
        self.update()

    def _bind(self, host: str, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.setblocking(False)
        self._socket.bind((host, port))
        self._open = False

    def _sockname(self) -> tuple[str, int]:
        assert self._socket is not None
        host, port = self._socket.getsockname()[:2]
        return host, port

    def restart(self, after_s: float) -> None:
        """Send everyone away, refuse connections for `after_s`."""
        loop = asyncio.get_running_loop()
        if self._coming_up is not None:
            self._coming_up.cancel()
        self._coming_up = loop.call_later(after_s, self._come_up)
        self.update()
        loop.call_soon(self._service.send_away)

    def _come_up(self) -> None:
        self._coming_up = None
        self.update()

    def update(self) -> None:
        """Open or shut the door as the faults, or a restart, want it."""
        wanted = not (self._coming_up or self._device.faults.has(RefuseConnect))
        if wanted and not self._open:
            assert self._socket is not None
            self._socket.listen(_BACKLOG)
            asyncio.get_running_loop().add_reader(self._socket, self._accept)
            self._open = True
        elif self._open and not wanted:
            self._close_socket()
            self._bind(*self.address)  # bound but not listening: refused, and still ours
        if not self._device.faults.has(Silent):
            self._end_silence()

    def _close_socket(self) -> None:
        if self._socket is None:
            return
        if self._open:
            asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _accept(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(OSError):  # gone again, or no file descriptors left
            while True:
                self._admit(self._socket.accept()[0])

    def _admit(self, client: socket.socket) -> None:
        client.setblocking(False)
        self._journal.stats[self._device.name].connections += 1
        faults = self._device.faults
        if drop := faults.strike(Drop, "connect"):
            set_linger(client, drop.how)
            client.close()
        elif faults.strike(Silent):
            self._silent.append(client)
        else:
            task = asyncio.create_task(self._service.serve(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _end_silence(self) -> None:
        while self._silent:
            self._silent.pop().close()

    async def close(self) -> None:
        """Close the door and everything behind it."""
        if self._coming_up is not None:
            self._coming_up.cancel()
        self._close_socket()
        self._end_silence()
        self._service.send_away()
        tasks = [*self._tasks, *self._service.tasks()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
