"""The SSH side (asyncssh): logins and sessions."""

import asyncio
import logging
import socket
import struct
from collections.abc import Callable

import asyncssh

from drivers.lab.device import Device
from drivers.lab.faults import Drop, How, RefuseLogin, Slow
from drivers.lab.record import Journal
from drivers.lab.scp import Files, is_scp
from drivers.lab.shell import Shell
from drivers.lab.terminal import Terminal
from drivers.lab.users import Credentials, User

_LOGIN_TIMEOUT_S = 60
_PIECE_BYTES = 32_768
_RST = struct.pack("ii", 1, 0)  # SO_LINGER on, 0 s: close() sends RST


def ssh_options(version: str) -> asyncssh.SSHServerConnectionOptions:
    """What every connection shares: one fresh host key, and the cheapest of the modern algorithms."""
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)
    return asyncssh.SSHServerConnectionOptions(
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        server_version=version,
        kex_algs=["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256"],
        encryption_algs=["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"],
        compression_algs=["none"],
        public_key_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        agent_forwarding=False,
        x11_forwarding=False,
        allow_scp=False,
        line_editor=False,
        login_timeout=_LOGIN_TIMEOUT_S,
    )


class Door(asyncssh.SSHServer):
    """One connection: the login, and at most one session, as on IOS."""

    def __init__(
        self, device: Device, journal: Journal, credentials: Credentials, client: socket.socket, doors: "set[Door]"
    ) -> None:
        self._device, self._journal, self._credentials = device, journal, credentials
        self._client, self._doors = client, doors
        self._connection: asyncssh.SSHServerConnection | None = None
        self._user: User | None = None
        self.task: asyncio.Task[int] | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._doors.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._doors.discard(self)

    def begin_auth(self, _username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        faults = self._device.faults
        if slow := faults.strike(Slow, "login"):
            await asyncio.sleep(slow.delay_ms / 1000)
        if drop := faults.strike(Drop, "login"):
            self.cut(drop.how)
            return False
        self._user = None if faults.strike(RefuseLogin) else self._credentials.check(username, password)
        self._journal.login(self._device.name, username, ok=self._user is not None)
        return self._user is not None

    def session_requested(self) -> "tuple[asyncssh.SSHServerChannel[bytes], asyncssh.SSHServerSession[bytes]] | bool":
        if self._connection is None or self._user is None or self.task is not None:
            return False
        channel: asyncssh.SSHServerChannel[bytes] = self._connection.create_server_channel(encoding=None)
        return channel, SshSession(self, self._serve)

    def _serve(self, session: "SshSession", line: str | None) -> asyncio.Task[int]:
        assert self._user is not None
        shell = Shell(self._device, self._journal, session.terminal, self._user, self._journal.next_session())
        files = self._device.persona
        if line is not None and is_scp(line) and isinstance(files, Files):
            self.task = asyncio.create_task(shell.run_scp(line, files, session.read_raw()))
        else:
            self.task = asyncio.create_task(shell.run() if line is None else shell.run_once(line))
        return self.task

    def is_connected(self) -> bool:
        """Whether the kernel still has a peer: it knows of a reset before asyncssh does, which would go on writing."""
        try:
            self._client.getpeername()
        except OSError:
            return False
        return True

    def cut(self, how: How) -> None:
        """Close the TCP connection without a word of SSH."""
        set_linger(self._client, how)
        self.abort()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def abort(self) -> None:
        if self._connection is not None:
            self._connection.abort()


class SshSession(asyncssh.SSHServerSession[bytes]):
    """A channel as a terminal's `Wire`."""

    def __init__(self, door: Door, serve: "Callable[[SshSession, str | None], asyncio.Task[int]]") -> None:
        self._door, self._serve = door, serve
        self._line: str | None = None
        self._task: asyncio.Task[int] | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._raw: asyncio.StreamReader | None = None
        self.terminal = Terminal(self)

    def connection_made(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._channel = chan

    def pty_requested(self, _term_type: str, term_size: tuple[int, int, int, int], _term_modes: object) -> bool:
        self._resize(term_size[0], term_size[1])
        return True

    def terminal_size_changed(self, width: int, height: int, _pixwidth: int, _pixheight: int) -> None:
        self._resize(width, height)

    def _resize(self, width: int, height: int) -> None:
        self.terminal.width, self.terminal.length = width, height

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        self._line = command
        return True

    def session_started(self) -> None:
        self._task = self._serve(self, self._line)
        self._task.add_done_callback(self._finished)

    def read_raw(self) -> asyncio.StreamReader:
        """From now on, what the client sends is data and not typed."""
        self._raw = asyncio.StreamReader()
        return self._raw

    def _finished(self, task: asyncio.Task[int]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:  # a mistake of the lab's: show it
            asyncio.get_running_loop().call_exception_handler({"message": "lab session", "exception": error})
            self._door.abort()
        elif not self._channel.is_closing():
            self._channel.exit(0 if task.cancelled() else task.result())

    def data_received(self, data: bytes, _datatype: int | None) -> None:
        if self._raw is not None:
            self._raw.feed_data(data)
        else:
            self.terminal.feed(data)

    def eof_received(self) -> bool:
        if self._raw is not None:
            self._raw.feed_eof()
        self.terminal.hang_up()
        return True

    def break_received(self, _msec: int) -> bool:
        self.terminal.feed(b"\x03")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._room.set()
        if self._raw is not None:
            self._raw.feed_eof()
        if self._task is not None:
            self._task.cancel()
        if exc is None:
            self._door.close()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _PIECE_BYTES):
            if not self._channel.is_closing() and self._door.is_connected():
                self._channel.write(data[start : start + _PIECE_BYTES])

    async def drain(self) -> None:
        if not self._room.is_set():
            await self._room.wait()

    def cut(self, how: How) -> None:
        self._door.cut(how)


def set_linger(client: socket.socket, how: How) -> None:
    """Make the coming close() of a socket an RST or a FIN."""
    if how == "rst":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
