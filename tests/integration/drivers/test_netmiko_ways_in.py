"""Ways to a device for netmiko: host keys, key files, jump hosts, algorithms, telling what the device is."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import paramiko
import pytest

from drivers.base import Change, Reply, Session
from drivers.errors import AuthenticationFailed, CommandRejected, DriverError, HostKeyMismatch, Unreachable
from drivers.lab import LabProcess
from drivers.netmiko import NetmikoConfig, NetmikoConnection, NetmikoDriver, NetmikoQuery
from drivers.netmiko.session import NetmikoSession
from tests.sshd import Sshd, make_key, require_terminals, sshd, user

QUERY = NetmikoQuery(read_timeout=5)


class Record:
    """A `drivers.base.Trust` of what was asked, in order."""

    def __init__(self, kinds: tuple[str, ...] = (), *, refuses: bool = False) -> None:
        self.kinds, self.refuses = kinds, refuses
        self.asked: list[tuple[str, str, str]] = []

    def known(self, address: str) -> tuple[str, ...]:
        return self.kinds

    def check(self, address: str, kind: str, fingerprint: str) -> None:
        self.asked.append((address, kind, fingerprint))
        if self.refuses:
            raise HostKeyMismatch(f"{address} presented another host key than the one on record")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    require_terminals()
    with sshd(tmp_path_factory.mktemp("sshd"), kinds=("ed25519", "rsa")) as running:
        yield running


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    require_terminals()
    with sshd(tmp_path_factory.mktemp("old"), extra="Ciphers aes128-cbc\nMACs hmac-sha1\n") as running:
        yield running


@pytest.fixture(scope="module")
def jump(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("jump")) as running:
        yield running


def on(server: Sshd, *, folders: tuple[Path, ...] = (), **changes: Any) -> NetmikoSession:
    fields: dict[str, Any] = {"device_type": "linux", "host": "127.0.0.1", "port": server.port, "username": user()}
    if "key_file" not in changes:
        fields["pkey"] = server.key.read_text()
    driver = NetmikoDriver(key_folders=folders)
    login = NetmikoConnection.model_validate(fields | {"timeout": 10} | changes)
    made = driver.session(driver.target(login))
    assert isinstance(made, NetmikoSession)
    return made


def through(jump: Sshd) -> dict[str, Any]:
    return {
        "proxy_host": "127.0.0.1",
        "proxy_port": jump.port,
        "proxy_username": user(),
        "proxy_pkey": jump.key.read_text(),
    }


def ignore(_: Reply) -> None:
    pass


def said(session: Session, command: str, args: NetmikoQuery = QUERY) -> str:
    replies: list[Reply] = []
    session.run_commands([command], args, replies.append)
    return replies[0].stdout


# ── host keys ──


@pytest.mark.parametrize("kind", ["ssh-rsa", "ssh-ed25519"])
def test_the_key_is_checked_and_known_kinds_are_preferred(server: Sshd, kind: str) -> None:
    record = Record((kind,))
    with closing(on(server)) as session:
        session.trust = record
        session.open()
        assert said(session, "echo here") == "here"
    ((address, shown, fingerprint),) = record.asked
    assert (address, shown) == (f"127.0.0.1:{server.port}", kind)
    assert fingerprint.startswith("SHA256:")


def test_nothing_secret_is_sent_to_a_stranger(server: Sshd) -> None:
    before = server.log
    with closing(on(server, username="somebody-else")) as session:
        session.trust = Record(refuses=True)
        with pytest.raises(HostKeyMismatch):
            session.open()
        assert not session.alive()
    assert "somebody-else" not in server.log[len(before) :]


# ── keys ──


def test_a_key_file_below_a_key_folder(server: Sshd, tmp_path: Path) -> None:
    with closing(on(server, folders=(tmp_path, server.folder), key_file=server.key.name)) as session:
        session.open()
        assert said(session, "echo here") == "here"


def test_a_key_file_elsewhere_is_not_read(server: Sshd, tmp_path: Path) -> None:
    with pytest.raises(AuthenticationFailed) as caught:
        on(server, folders=(tmp_path,), key_file=str(server.key)).open()
    assert server.key.name not in str(caught.value)


# ── jump hosts, algorithms ──


def test_a_device_behind_a_jump_host(server: Sshd, jump: Sshd) -> None:
    record = Record()
    with closing(on(server, **through(jump))) as session:
        session.trust = record
        session.open()
        assert said(session, "echo here") == "here"
        assert session.ping(5)
        jump.kill_connections()
        with pytest.raises(DriverError):
            said(session, "sleep 20")
        assert not session.alive()
    assert [address for address, _, _ in record.asked] == [f"127.0.0.1:{jump.port}", f"127.0.0.1:{server.port}"]


def test_a_jump_host_that_refuses(server: Sshd, jump: Sshd, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "key", "ed25519").read_text()
    with pytest.raises(AuthenticationFailed, match="jump host"):
        on(server, **through(jump) | {"proxy_pkey": stranger}).open()


def test_weak_algorithms_only_when_asked_for(old: Sshd) -> None:
    with pytest.raises(Unreachable, match="legacy_algorithms"):
        on(old).open()
    with closing(on(old, legacy_algorithms=True)) as session:
        session.open()
        assert said(session, "echo here") == "here"


def test_what_is_called_weak_is_still_in_paramiko() -> None:
    """And what the docstring says is gone, is."""
    transport = paramiko.Transport
    assert {"aes128-cbc", "3des-cbc"} <= set(transport._preferred_ciphers)  # type: ignore[attr-defined]
    assert {"hmac-sha1", "hmac-md5"} <= set(transport._preferred_macs)  # type: ignore[attr-defined]
    assert "diffie-hellman-group14-sha1" not in transport._kex_info  # type: ignore[attr-defined]
    assert "ssh-rsa" not in transport._preferred_keys  # type: ignore[attr-defined]


# ── autodetect ──


@pytest.mark.parametrize(
    ("persona", "found"),
    [
        ("ios", "cisco_ios"),
        ("eos", "arista_eos"),
        ("junos", "juniper_junos"),
        ("nxos", "cisco_nxos"),
        ("vrp", "huawei"),
        ("linux", "linux"),
    ],
)
def test_a_device_says_what_it_is(persona: str, found: str) -> None:
    with LabProcess(options=[f"--persona={persona}"]) as lab, closing(on_lab(lab)) as session:
        session.open()
        assert session.device_type == found
        asked = len(lab.commands(lab.devices[0]))
        said(session, {"vrp": "display version", "linux": "uname -a"}.get(persona, "show version"))
        assert len(lab.commands(lab.devices[0])) == asked + 1
        assert session.alive()


def test_what_was_found_decides_what_can_be_had() -> None:
    with LabProcess() as lab, closing(on_lab(lab)) as session:
        session.open()
        with pytest.raises(CommandRejected, match="dry_run"):
            session.apply_config(Change(["hostname x"], NetmikoConfig(dry_run=True), "np0123456789ab"), ignore)
        with pytest.raises(CommandRejected, match="were refused"):
            said(session, "show bogus")


def test_linux_says_what_it_is(server: Sshd) -> None:
    with closing(on(server, device_type="autodetect")) as session:
        session.open()
        assert session.device_type == "linux"
        assert said(session, "echo here") == "here"


def on_lab(lab: LabProcess, **changes: Any) -> NetmikoSession:
    (device,) = lab.devices[:1]
    fields = {"device_type": "autodetect", "host": device.host, "port": device.port, "timeout": 10}
    login = {"username": lab.username, "password": lab.password}
    driver = NetmikoDriver()
    made = driver.session(driver.target(NetmikoConnection.model_validate(fields | login | changes)))
    assert isinstance(made, NetmikoSession)
    return made


# ── endings by name ──


@pytest.mark.parametrize(
    ("command", "pattern", "end"),
    [
        ("copy running-config flash:x", "filename", "Destination filename [x]? "),
        ("reload", "confirm", "[confirm]"),
        ("show clock", "prompt_any", None),
    ],
)
def test_an_output_ends_where_a_named_pattern_says(command: str, pattern: str, end: str | None) -> None:
    with LabProcess() as lab, closing(on_lab(lab, device_type="cisco_ios")) as session:
        session.open()
        query = NetmikoQuery.model_validate({"expect_string": {"pattern": pattern}, "read_timeout": 5})
        output = said(session, command, query)
        assert output.endswith(end) if end else "UTC" in output
        assert session.alive() is (end is None)
