"""One line in a channel of its own: both streams read as they come, its end, its exit status."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import dataclass

import paramiko
from paramiko.sftp import SFTPError
from paramiko.ssh_exception import SSHException

from drivers.errors import CommandRejected, TooLarge
from drivers.paramiko.shell import Line, Question
from drivers.ssh.ping import ping
from drivers.ssh.watch import limited

LONGEST_OUTPUT = 32_000_000
"""Bytes of each stream of one command; a host that goes on for ever must not take the worker's memory."""

_PIECE = 65_536
_LOOK_S = 0.25
"""How often to look for the exit status of a command whose streams stay open: that alone wakes nobody."""

_LINGER_S = 1.0
"""How long the streams of a command that ended may stay open, held by what it left in the background."""

_ENDING_S = 4.0
"""How long a command may take to end by force; the watch next to it takes 2 s until SIGKILL."""

_ANSWER_S = 1.0
"""For the answer of a host on which a channel ended without an exit status."""

_SIGN_S = 0.4
"""For a sign of life of a host that is to end a command: over a dead line it would not tell."""

_HEAD = 16_384
"""Bytes in which sudo's question is looked for."""


@dataclass(frozen=True)
class Ended:
    """What a line that ran to its end left."""

    stdout: bytes
    stderr: bytes
    exit_status: int | None
    """None: the server told none, since a signal killed even the shell around the command."""


class Execution:
    """A line that runs. `ended` may be called once."""

    def __init__(self, channel: paramiko.Channel, line: Line, guard: Callable[[], None]) -> None:
        self._channel = channel
        self._pty = line.pty
        self._question = line.question
        self._guard = guard
        self._answered = False
        self._stdout, self._stderr = bytearray(), bytearray()

    def ended(self, timeout_s: float) -> Ended:
        """Read to its end. Raises TimeoutError, EOFError (connection lost), TooLarge, CommandRejected (by sudo)."""
        deadline = time.monotonic() + timeout_s
        try:
            self._read_all(deadline)
            if not self._channel.status_event.wait(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
        except (TimeoutError, TooLarge, CommandRejected):
            self._end()
            raise
        status = self._channel.exit_status
        if status < 0 and not answers(self._channel.get_transport()):
            raise EOFError
        return Ended(*self._streams(), exit_status=status if status >= 0 else None)

    def _read_all(self, deadline: float) -> None:
        poller = select.poll()
        poller.register(self._channel.fileno(), select.POLLIN)
        gone: float | None = None  # when it was first seen to have ended
        while not self._closed():
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError
            if self._channel.exit_status_ready():
                gone = gone or now
                if now - gone > _LINGER_S:
                    return
            poller.poll(min(_LOOK_S, deadline - now) * 1000)
            self._read()

    def _closed(self) -> bool:
        channel = self._channel
        ended = bool(channel.eof_received or channel.closed)  # looked at first: data comes before it
        return ended and not channel.recv_ready() and not channel.recv_stderr_ready()

    def _read(self) -> None:
        if self._channel.recv_ready():
            self._stdout += self._channel.recv(_PIECE)
        if self._channel.recv_stderr_ready():
            self._stderr += self._channel.recv_stderr(_PIECE)
        if max(len(self._stdout), len(self._stderr)) > LONGEST_OUTPUT:
            raise TooLarge(f"a command said more than {LONGEST_OUTPUT:,} bytes")
        if self._question is not None:
            self._answer(self._question)

    def _answer(self, question: Question) -> None:
        asked = bytes((self._stdout if self._pty else self._stderr)[:_HEAD]).count(question.marker)
        if asked == 0 or (asked == 1 and self._answered):
            return
        if question.answer is None:
            raise CommandRejected("sudo wants a password, and there is none")
        if self._answered:  # not a third time: that locks accounts
            raise CommandRejected("sudo refused the password")
        self._answered = True
        self._guard()
        self._channel.sendall(question.answer)

    def _streams(self) -> tuple[bytes, bytes]:
        """Both streams, without sudo's question and the line end that follows it on a terminal."""
        stdout, stderr = bytes(self._stdout), bytes(self._stderr)
        if self._pty:
            stdout = stdout.replace(b"\r\n", b"\n")
        if self._question is None:
            return stdout, stderr
        marker = self._question.marker
        return stdout.replace(marker + b"\n", b"").replace(marker, b""), stderr.replace(marker, b"")

    def _end(self) -> None:
        """End the command: the end of its input wakes the watch next to it, the end of a terminal hangs up."""
        if self._pty:
            self._channel.close()
            return
        self._channel.shutdown_write()
        if not ping(self._channel.get_transport(), _SIGN_S):
            return
        deadline = time.monotonic() + _ENDING_S
        while not self._channel.status_event.wait(0.02) and time.monotonic() < deadline:
            self._channel.recv(_PIECE) if self._channel.recv_ready() else None
            self._channel.recv_stderr(_PIECE) if self._channel.recv_stderr_ready() else None


def answers(transport: paramiko.Transport) -> bool:
    """Whether only the channel ended, not the connection: paramiko closes its channels before it says that it ended."""
    return ping(transport, _ANSWER_S)


class Remote:
    """An open transport as the rest of the driver uses it. `guard` is called before each write."""

    def __init__(
        self, transport: paramiko.Transport, guard: Callable[[], None], expire: Callable[[], None], wait_s: float
    ) -> None:
        self._transport = transport
        self.guard = guard
        self._expire = expire
        self._wait_s = wait_s

    def run(self, line: Line, timeout_s: float) -> Ended:
        """Run one line. Raises what `Execution.ended` raises; also OSError, SSHException at its connection's end."""
        channel = self._channel()
        try:
            with limited(self._wait_s, self._expire):
                if line.pty:
                    channel.get_pty(width=511, height=1000)
                for name, value in line.environment.items():
                    channel.set_environment_variable(name, value)
                self.guard()
                channel.exec_command(line.text.encode())
            if not (line.watched or line.pty or line.question):
                channel.shutdown_write()  # nothing waits for input: a server that runs something else ends it as well
            return Execution(channel, line, self.guard).ended(timeout_s)
        finally:
            channel.close()

    def sftp(self, timeout_s: float) -> paramiko.SFTPClient:
        """A file channel on which the host may be silent for `timeout_s` seconds. Raises what `run` raises."""
        channel = self._channel()
        try:
            channel.settimeout(timeout_s)
            self.guard()
            with limited(self._wait_s, self._expire):
                channel.invoke_subsystem("sftp")
                return paramiko.SFTPClient(channel)
        except BaseException as error:
            channel.close()
            lost = (SSHException, SFTPError, EOFError)
            if isinstance(error, lost) and answers(self._transport):
                raise CommandRejected("the host offers this login no file transfer (SFTP)") from error
            raise

    def _channel(self) -> paramiko.Channel:
        try:
            return self._transport.open_session(timeout=self._wait_s)
        except paramiko.ChannelException as error:
            raise CommandRejected("the host opens no channel for this login (see MaxSessions of its sshd)") from error
