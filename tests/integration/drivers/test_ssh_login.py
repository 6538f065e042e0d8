"""Logins on a real sshd: keys of every kind, host keys, jump hosts; and where they fail."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import paramiko
import pytest

from drivers.base import Reply
from drivers.errors import AuthenticationFailed, DriverError, HostKeyMismatch, SessionAborted, SessionLost, Unreachable
from drivers.lab import LabProcess
from drivers.paramiko import ParamikoConnection, ParamikoDriver, ParamikoQuery, ParamikoSession
from tests.sshd import Sshd, authorize, make_key, prepare, sshd, user
from tests.waiting import until

PASSPHRASE = "of the key"


class Record:
    """A `Trust` that puts the first key of an address on record, and takes no other."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []

    def known(self, address: str) -> Sequence[str]:
        return list(self.keys.get(address, {}))

    def check(self, address: str, kind: str, fingerprint: str) -> None:
        self.asked.append(address)
        if self.keys.setdefault(address, {kind: fingerprint}) != {kind: fingerprint}:
            raise HostKeyMismatch(f"{address} presented another host key than the one on record")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("sshd")
    with sshd(folder, kinds=("ed25519", "rsa"), passwords=True) as running:
        keys = [make_key(folder / f"locked_{kind}", kind, PASSPHRASE) for kind in ("ed25519", "ecdsa", "rsa")]
        authorize(folder, running.key, *keys)
        yield running


@pytest.fixture(scope="module")
def jump(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("jump")) as running:
        yield running


def login(server: Sshd, *, folders: Sequence[Path] = (), **changes: Any) -> ParamikoSession:
    fields: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "username": user()}
    if not {"pkey", "key_filename", "password"} & set(changes):
        fields["pkey"] = server.key.read_text()
    driver = ParamikoDriver(folders)
    made = driver.session(driver.target(ParamikoConnection.model_validate(fields | changes)))
    assert isinstance(made, ParamikoSession)
    return made


def through(jump: Sshd, **changes: Any) -> dict[str, Any]:
    key = (
        {}
        if {"proxy_pkey", "proxy_password", "proxy_key_filename"} & set(changes)
        else {"proxy_pkey": jump.key.read_text()}
    )
    return {"proxy_host": "127.0.0.1", "proxy_port": jump.port, "proxy_username": user(), **key, **changes}


def said(session: ParamikoSession, command: str) -> str:
    replies: list[Reply] = []
    session.run_commands([command], ParamikoQuery(), replies.append)
    return replies[0].stdout


# ── keys ──


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_encrypted_keys_of_every_kind(server: Sshd, kind: str) -> None:
    text = (server.folder / f"locked_{kind}").read_text()
    with closing(login(server, pkey=text, passphrase=PASSPHRASE)) as session:
        session.open()
        assert said(session, "echo in") == "in\n"


@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_a_key_that_stays_locked(server: Sshd, passphrase: str | None) -> None:
    session = login(server, pkey=(server.folder / "locked_ed25519").read_text(), passphrase=passphrase)
    with pytest.raises(AuthenticationFailed, match="passphrase") as caught:
        session.open()
    assert "wrong passphrase" in str(caught.value) or passphrase is None
    assert "locked" not in str(caught.value)


def test_a_key_in_a_folder_of_the_workers(server: Sshd) -> None:
    with closing(login(server, folders=[server.folder], key_filename="id_ed25519")) as session:
        session.open()
        assert session.alive()


@pytest.mark.parametrize("name", ["../id_ed25519", "/etc/shadow", "none"])
def test_a_key_outside_these_folders(server: Sshd, name: str) -> None:
    (server.folder / "keys").mkdir(exist_ok=True)
    with pytest.raises(AuthenticationFailed, match="none of the folders"):
        login(server, folders=[server.folder / "keys"], key_filename=name).open()


def test_a_key_that_the_server_does_not_know(server: Sshd, tmp_path: Path) -> None:
    with pytest.raises(AuthenticationFailed, match="refused the login"):
        login(server, pkey=make_key(tmp_path / "key", "ed25519").read_text()).open()


def test_a_wrong_password(server: Sshd) -> None:
    with pytest.raises(AuthenticationFailed, match="refused the login") as caught:
        login(server, password="not this").open()
    assert "not this" not in str(caught.value)


def test_the_right_password() -> None:
    with LabProcess() as lab:
        device = lab.devices[0]
        fields = {"host": device.host, "port": device.port, "username": lab.username, "password": lab.password}
        driver = ParamikoDriver()
        with closing(driver.session(driver.target(ParamikoConnection.model_validate(fields)))) as session:
            session.open()
            assert session.ping(5)


def test_a_compressed_session(server: Sshd) -> None:
    with closing(login(server, compress=True, disabled_algorithms={"ciphers": ["aes128-ctr"]})) as session:
        session.open()
        assert said(session, "echo in") == "in\n"


# ── host keys ──


def test_the_key_on_record_is_asked_for(server: Sshd) -> None:
    record = Record()
    address = f"127.0.0.1:{server.port}"
    rsa = paramiko.RSAKey(filename=str(server.folder / "host_rsa"))
    record.keys[address] = {"ssh-rsa": rsa.fingerprint}
    with closing(login(server)) as session:
        session.trust = record
        session.open()
    assert record.asked == [address]


def test_another_key_than_the_one_on_record(tmp_path: Path) -> None:
    record = Record()
    with sshd(tmp_path) as first, closing(login(first)) as session:
        session.trust = record
        session.open()
    record.keys = {"changed": next(iter(record.keys.values()))}
    with sshd(tmp_path) as second:  # with a new host key
        record.keys[f"127.0.0.1:{second.port}"] = record.keys.pop("changed")
        session = login(second)
        session.trust = record
        with pytest.raises(HostKeyMismatch):
            session.open()
        assert not session.alive()
        assert "Accepted" not in second.log.rpartition("Server listening")[2]  # no secret was sent


# ── jump hosts ──


def test_a_login_through_a_jump_host(server: Sshd, jump: Sshd) -> None:
    record = Record()
    with closing(login(server, **through(jump))) as session:
        session.trust = record
        session.open()
        assert said(session, "echo $SSH_CONNECTION").split()[3] == str(server.port)
        assert session.alive()
        assert session.ping(5)
    assert record.asked == [f"127.0.0.1:{jump.port}", f"127.0.0.1:{server.port}"]
    assert not session.alive()


def test_a_jump_host_with_another_key(server: Sshd, jump: Sshd) -> None:
    record = Record()
    record.keys[f"127.0.0.1:{jump.port}"] = {"ssh-ed25519": "SHA256:of-another"}
    session = login(server, **through(jump))
    session.trust = record
    with pytest.raises(HostKeyMismatch):
        session.open()


def test_a_jump_host_that_refuses(server: Sshd, jump: Sshd, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", "ed25519").read_text()
    with pytest.raises(AuthenticationFailed, match="through the jump host"):
        login(server, **through(jump, proxy_pkey=key)).open()


def test_a_jump_host_that_does_not_reach_the_device(server: Sshd, jump: Sshd) -> None:
    with pytest.raises(Unreachable, match="through the jump host"):
        login(server, **through(jump), port=1).open()


def test_a_jump_host_that_dies(server: Sshd, jump: Sshd) -> None:
    with closing(login(server, **through(jump))) as session, ThreadPoolExecutor(1) as threads:
        session.open()
        running = threads.submit(said, session, "sleep 20")
        until(lambda: session._sent, "it was sent")
        began = time.monotonic()
        jump.kill_connections()
        with pytest.raises(SessionLost):
            running.result(10)
        assert time.monotonic() - began < 1  # measured: below 0.1 s
        assert not session.alive()


def test_abort_through_a_jump_host(server: Sshd, jump: Sshd) -> None:
    with closing(login(server, **through(jump))) as session, ThreadPoolExecutor(1) as threads:
        session.open()
        running = threads.submit(said, session, "sleep 20")
        until(lambda: session._sent, "it was sent")
        began = time.monotonic()
        session.abort()
        with pytest.raises(SessionAborted):
            running.result(10)
        assert time.monotonic() - began < 1  # measured: below 0.1 s


def test_nothing_is_left_of_logins_that_failed(server: Sshd, jump: Sshd) -> None:
    before = threading.active_count()
    for changes in ({"password": "wrong"}, through(jump) | {"port": 1}):
        with pytest.raises(DriverError):
            login(server, **changes).open()
    until(lambda: threading.active_count() <= before, "their threads ended")


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("by_jump", [False, True])
def test_a_server_that_says_nothing_is_given_up(server: Sshd, silent: int, by_jump: bool) -> None:
    changes = {"proxy_host": "127.0.0.1", "proxy_port": silent, "proxy_username": "j", "proxy_password": "p"}
    with pytest.raises(Unreachable, match="sent no SSH banner"):
        login(server, **(changes if by_jump else {"port": silent}), timeout=0.2).open()


def test_a_server_that_breaks_off_the_key_exchange_leaves_no_thread(server: Sshd) -> None:
    before = threading.active_count()
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:

        def break_off() -> None:
            with listener.accept()[0] as peer:
                peer.sendall(b"SSH-2.0-short\r\n")
                peer.recv(1)

        breaking = threads.submit(break_off)
        with pytest.raises(Unreachable, match="during the login"):
            login(server, port=listener.getsockname()[1], timeout=20).open()
        breaking.result(10)
    until(lambda: threading.active_count() <= before, "paramiko's clock is stopped", 2)


def test_abort_ends_a_login(server: Sshd, silent: int) -> None:
    session = login(server, port=silent)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(session.open)
        until(lambda: session._line.alive(), "it is connected")
        began = time.monotonic()
        session.abort()
        with pytest.raises(SessionAborted):
            running.result(10)
        assert time.monotonic() - began < 1  # measured: 0.1 s


def test_a_host_that_is_not_there(tmp_path: Path) -> None:
    prepare(tmp_path, ("ed25519",))
    key = (tmp_path / "id_ed25519").read_text()
    driver = ParamikoDriver()
    connection = ParamikoConnection.model_validate({"host": "127.0.0.1", "port": 1, "username": "u", "pkey": key})
    with pytest.raises(Unreachable, match="refused the connection"):
        driver.session(driver.target(connection)).open()
