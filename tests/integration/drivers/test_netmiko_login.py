"""Logins on servers that stop at a chosen point, and over telnet."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import paramiko
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from drivers.base import Reply
from drivers.errors import AuthenticationFailed, DriverError, SessionAborted, Unreachable
from drivers.netmiko import NetmikoConnection, NetmikoDriver, NetmikoQuery
from drivers.netmiko.session import NetmikoSession

HOST_KEY = paramiko.RSAKey.generate(2048)


class Stopping(paramiko.ServerInterface):
    """An SSH server that accepts everything up to `stop`, and there never answers."""

    def __init__(self, stop: str, key: str | None = None) -> None:
        self.stop, self.key = stop, key
        self.there = threading.Event()
        self.release = threading.Event()
        self.shell: paramiko.Channel | None = None

    def at(self, point: str) -> None:
        if self.stop == point:
            self.there.set()
            self.release.wait(30)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey" if self.key else "password"

    def check_auth_password(self, username: str, password: str) -> int:
        self.at("auth")
        return AUTH_SUCCESSFUL

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return AUTH_SUCCESSFUL if key.get_base64() == self.key else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self.at("channel")
        return OPEN_SUCCEEDED

    def check_channel_pty_request(self, *_: Any) -> bool:
        self.at("pty")
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        self.there.set()  # a shell that says nothing
        return True


@pytest.fixture
def serve() -> Iterator[Callable[[Stopping], int]]:
    """Start servers for one connection each; returns the port."""
    ends: list[Callable[[], None]] = []

    def start(server: Stopping) -> int:
        listener = socket.create_server(("127.0.0.1", 0))

        def run() -> None:
            with suppress(OSError, EOFError, paramiko.SSHException):
                sock, _ = listener.accept()
                if server.stop == "banner":
                    server.at("banner")
                    sock.close()
                    return
                transport = paramiko.Transport(sock)
                ends.append(transport.close)
                transport.add_server_key(HOST_KEY)
                transport.start_server(server=server)
                server.shell = transport.accept(30)  # kept: paramiko closes what nobody refers to

        thread = threading.Thread(target=run)
        thread.start()
        ends.extend([server.release.set, listener.close, thread.join])
        return int(listener.getsockname()[1])

    yield start
    for end in ends:
        end()


def session(port: int, **changes: Any) -> NetmikoSession:
    fields = {"device_type": "cisco_ios", "host": "127.0.0.1", "port": port, "username": "u", "password": "p"}
    driver = NetmikoDriver()
    made = driver.session(driver.target(NetmikoConnection.model_validate(fields | {"timeout": 30} | changes)))
    assert isinstance(made, NetmikoSession)
    return made


@pytest.mark.parametrize("stop", ["banner", "auth", "channel", "pty", "shell"])
def test_abort_ends_every_phase_of_a_login(serve: Callable[[Stopping], int], stop: str) -> None:
    server = Stopping(stop)
    opening = session(serve(server))
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(opening.open)
        assert server.there.wait(10)
        began = time.monotonic()
        opening.abort()
        with pytest.raises(SessionAborted):
            running.result(20)
    assert time.monotonic() - began < 2  # measured: below 0.1 s


@pytest.mark.parametrize("stop", ["banner", "auth", "channel", "pty", "shell"])
def test_a_login_that_does_not_go_on_is_given_up(serve: Callable[[Stopping], int], stop: str) -> None:
    opening = session(serve(Stopping(stop)), timeout=0.3)
    with pytest.raises(Unreachable):
        opening.open()
    assert not opening.alive()


def private_key(passphrase: bytes | None = None) -> tuple[str, str]:
    """A private key's text, and its public half in base64."""
    sealed = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    key = ed25519.Ed25519PrivateKey.generate()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, sealed).decode()
    loaded = paramiko.Ed25519Key.from_private_key(io.StringIO(text), passphrase.decode() if passphrase else None)
    return text, loaded.get_base64()


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
def test_a_private_key_logs_in(serve: Callable[[Stopping], int], passphrase: str | None) -> None:
    text, public = private_key(passphrase.encode() if passphrase else None)
    server = Stopping("shell", public)
    opening = session(serve(server), pkey=text, passphrase=passphrase, timeout=1, use_keys=True)
    with pytest.raises(Unreachable):  # in, and then there is no prompt
        opening.open()
    assert server.there.is_set()


@pytest.mark.parametrize(("passphrase", "said"), [(None, "needs its passphrase"), ("wrong", "wrong passphrase")])
def test_a_private_key_that_cannot_be_read(serve: Callable[[Stopping], int], passphrase: str | None, said: str) -> None:
    text, public = private_key(b"open sesame")
    opening = session(serve(Stopping("shell", public)), pkey=text, passphrase=passphrase, timeout=1)
    with pytest.raises(AuthenticationFailed, match=said):
        opening.open()


def test_another_private_key_is_refused(serve: Callable[[Stopping], int]) -> None:
    text, _ = private_key()
    with pytest.raises(AuthenticationFailed, match="refused the login"):
        session(serve(Stopping("shell", "another")), pkey=text, password=None).open()


# ── telnet ──


class TelnetRouter:
    """A router's telnet line: login, a few commands."""

    def __init__(self, password: str) -> None:
        self._password = password
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.passwords: list[str] = []
        self.stalled = threading.Event()
        self._sock: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.close()
        if self._sock is not None:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            self._sock, _ = self._listener.accept()
            with self._sock:
                self._talk(self._sock)

    def _talk(self, sock: socket.socket) -> None:
        def say(text: str) -> None:
            sock.sendall(text.encode())

        def hear() -> str:
            text = b""
            while not text.endswith(b"\r"):
                if not (read := sock.recv(1)):
                    raise OSError("gone")
                text += read
            return text.decode().strip()

        say("\r\nUser Access Verification\r\n\r\nUsername: ")
        while True:
            if not hear():
                say("\r\nUsername: ")
                continue
            say("\r\nPassword: ")
            self.passwords.append(hear())
            if self.passwords[-1] == self._password:
                break
            say("\r\n% Login invalid\r\n\r\nUsername: ")
        say("\r\nT1#")
        while (command := hear()) != "exit":
            if command == "show stall":
                say(f"{command}\r\n")
                self.stalled.set()
                continue
            answer = "Cisco IOS\r\n" if command == "show version" else ""
            say(f"{command}\r\n{answer}T1#")


@pytest.fixture
def router() -> Iterator[TelnetRouter]:
    router = TelnetRouter("p")
    yield router
    router.close()


def test_telnet(router: TelnetRouter) -> None:
    held = session(router.port, device_type="cisco_ios_telnet")
    held.open()
    replies: list[Reply] = []
    held.run_commands(["show version", "show version"], NetmikoQuery(read_timeout=5), replies.append)
    assert [reply.stdout for reply in replies] == ["Cisco IOS", "Cisco IOS"]
    assert held.prompt() == "T1#"
    assert held.alive()
    assert held.ping(1)
    router.close()
    assert not held.alive()
    with pytest.raises(Unreachable):
        held.run_commands(["show version"], NetmikoQuery(), replies.append)
    held.close()


def test_a_wrong_password_is_sent_once_over_telnet(router: TelnetRouter) -> None:
    with pytest.raises(AuthenticationFailed):
        session(router.port, device_type="cisco_ios_telnet", password="wrong").open()
    assert router.passwords == ["wrong"]


def test_abort_ends_a_telnet_command(router: TelnetRouter) -> None:
    held = session(router.port, device_type="cisco_ios_telnet")
    held.open()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(held.run_commands, ["show stall"], NetmikoQuery(read_timeout=60), print)
        assert router.stalled.wait(10)
        began = time.monotonic()
        held.abort()
        error = running.exception(10)
    assert time.monotonic() - began < 2
    assert isinstance(error, SessionAborted)
    held.close()


def test_a_session_that_is_not_open_says_so() -> None:
    with pytest.raises(DriverError, match="no session is open"):
        session(1).run_commands(["show version"], NetmikoQuery(), print)
