"""Files by SCP: to simulated IOS routers, and to a real sshd as `linux`."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Change, Reply, Transfer, Verdict
from drivers.errors import CommandRejected, DriverError, LeaseLost, SessionAborted
from drivers.lab import LabProcess
from drivers.netmiko import NetmikoConfig, NetmikoConnection, NetmikoDriver, NetmikoQuery
from drivers.netmiko.session import NetmikoSession
from tests.sshd import Sshd, require_terminals, sshd, user

QUERY = NetmikoQuery(read_timeout=10)
CONTENT = os.urandom(300_000)


class Kept:
    """A `drivers.base.Source` in memory, which may call `at` before its second piece."""

    def __init__(self, content: bytes, at: Any = None) -> None:
        self.content, self.size, self.sha256 = content, len(content), hashlib.sha256(content).hexdigest()
        self._at = at

    def read(self, offset: int, size: int) -> bytes:
        if offset and self._at:
            self._at()
        return self.content[offset : offset + size]


@dataclass
class Grown:
    """A `drivers.base.Sink` in memory."""

    content: bytes = b""
    size: int = field(default=0, init=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def append(self, data: bytes) -> None:
        self.content += data
        self.size = len(self.content)

    def clear(self) -> None:
        self.content, self.size = b"", 0


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(devices=20) as lab:
        yield lab


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def opened(**fields: Any) -> NetmikoSession:
    driver = NetmikoDriver()
    made = driver.session(driver.target(NetmikoConnection.model_validate({"timeout": 10} | fields)))
    assert isinstance(made, NetmikoSession)
    made.open()
    return made


@pytest.fixture
def router(lab: LabProcess, used: Iterator[int]) -> Iterator[NetmikoSession]:
    device = lab.devices[next(used)]
    login = {"username": lab.username, "password": lab.password}
    with closing(opened(device_type="cisco_ios", host=device.host, port=device.port, **login)) as session:
        yield session


@pytest.fixture(scope="module")
def used() -> Iterator[int]:
    return iter(range(20))


@pytest.fixture
def linux(server: Sshd) -> Iterator[NetmikoSession]:
    require_terminals()
    login = {"username": user(), "pkey": server.key.read_text()}
    with closing(opened(device_type="linux", host="127.0.0.1", port=server.port, **login)) as session:
        yield session


def enter(session: NetmikoSession, line: str) -> None:
    session.apply_config(Change([line], NetmikoConfig(), "np0123456789ab"), ignore)


def ignore(_: Reply) -> None:
    pass


def test_a_file_goes_to_a_router_and_back(router: NetmikoSession) -> None:
    enter(router, "ip scp server enable")
    replies: list[Reply] = []
    router.upload(Transfer("image.bin", QUERY), Kept(CONTENT), replies.append)
    sink = Grown(b"of an earlier attempt")
    router.download(Transfer("flash:image.bin", QUERY), sink, replies.append)
    assert sink.content == CONTENT
    assert [reply.verdict for reply in replies] == [Verdict.DONE, Verdict.DONE]
    assert hashlib.md5(CONTENT, usedforsecurity=False).hexdigest() in replies[0].stdout
    with pytest.raises(CommandRejected, match="there already"):
        router.upload(Transfer("image.bin", QUERY, overwrite=False), Kept(b"x"), ignore)
    assert router.alive()


def test_a_router_without_scp_refuses(router: NetmikoSession) -> None:
    enter(router, "no ip scp server enable")
    with pytest.raises(CommandRejected, match="refused the transfer"):
        router.upload(Transfer("image.bin", QUERY), Kept(CONTENT), ignore)
    with pytest.raises(CommandRejected, match="refused the transfer"):
        router.download(Transfer("image.bin", QUERY), Grown(), ignore)
    assert router.alive()


@pytest.mark.parametrize("path", ["-rf", "a b", "$(reboot)", "a'b", "a|b", "a\nreload", "(a+)+$", ""])
def test_a_path_that_could_be_more_than_a_path_is_not_sent(router: NetmikoSession, lab: LabProcess, path: str) -> None:
    sent = len(lab.commands())
    with pytest.raises(CommandRejected, match="characters"):
        router.download(Transfer(path, QUERY), Grown(), ignore)
    assert len(lab.commands()) == sent
    assert router.alive()


def test_a_file_goes_to_a_server_and_back(linux: NetmikoSession, tmp_path: Path) -> None:
    path = f"{tmp_path}/image.bin"
    linux.upload(Transfer(path, QUERY), Kept(CONTENT), ignore)
    assert Path(path).read_bytes() == CONTENT
    sink = Grown()
    linux.download(Transfer(path, QUERY), sink, ignore)
    assert sink.content == CONTENT
    with pytest.raises(CommandRejected):
        linux.download(Transfer(f"{tmp_path}/missing", QUERY), sink, ignore)
    assert linux.alive()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the login must be one that is privileged from the start")
def test_a_change_as_root_leaves_the_session_open(linux: NetmikoSession, tmp_path: Path) -> None:
    replies: list[Reply] = []
    change = Change([f"touch {tmp_path}/made"], NetmikoConfig(read_timeout=5), "np0123456789ab")
    linux.apply_config(change, replies.append)

    assert ([reply.verdict for reply in replies], (tmp_path / "made").exists()) == ([Verdict.DONE], True)
    assert linux.alive()


def test_nothing_goes_on_without_the_lease(linux: NetmikoSession, tmp_path: Path) -> None:
    def lose() -> None:
        raise LeaseLost("the lease is lost")

    with pytest.raises(LeaseLost):
        linux.upload(Transfer(f"{tmp_path}/part.bin", QUERY), Kept(CONTENT, at=lose), ignore)
    assert not linux.alive()


def test_abort_ends_a_transfer(linux: NetmikoSession, tmp_path: Path) -> None:
    with pytest.raises(SessionAborted):
        linux.upload(Transfer(f"{tmp_path}/part.bin", QUERY), Kept(CONTENT, at=linux.abort), ignore)
    assert not linux.alive()


def test_a_server_that_dies_within_a_transfer_is_told(server: Sshd, linux: NetmikoSession, tmp_path: Path) -> None:
    with pytest.raises(DriverError) as caught:
        linux.upload(Transfer(f"{tmp_path}/part.bin", QUERY), Kept(CONTENT * 20, at=server.kill_connections), ignore)
    assert not caught.value.repeatable
    assert not linux.alive()


def test_platforms_without_files_say_so(lab: LabProcess, used: Iterator[int]) -> None:
    device = lab.devices[next(used)]
    login = {"username": lab.username, "password": lab.password}
    session = opened(device_type="cisco_asa", host=device.host, port=device.port, **login)
    with closing(session), pytest.raises(CommandRejected, match="cannot be moved"):
        session.upload(Transfer("x", QUERY), Kept(b"x"), ignore)
    assert NetmikoDriver().capabilities("cisco_ios").files
    assert not NetmikoDriver().capabilities("cisco_ios_telnet").files
    assert not NetmikoDriver().capabilities("cisco_asa").files
