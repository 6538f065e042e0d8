"""pyeapi sessions on simulated EOS switches over real HTTPS."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyeapi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from drivers.base import Reply, Verdict
from drivers.errors import (
    AuthenticationFailed,
    CommandRejected,
    DriverError,
    HostKeyMismatch,
    LeaseLost,
    ReplyTimeout,
    SessionAborted,
    SessionLost,
    TooLarge,
    Unreachable,
)
from drivers.lab import (
    Drop,
    Fault,
    Huge,
    LabDevice,
    LabProcess,
    NonUtf8,
    OneByte,
    RefuseConnect,
    RefuseLogin,
    Silent,
    Slow,
    Stall,
    User,
)
from drivers.pyeapi import PyeapiConnection, PyeapiDriver, PyeapiQuery, PyeapiSession
from tests.cable import cable
from tests.waiting import until

QUERY = PyeapiQuery(read_timeout=5)
TEXT = PyeapiQuery(read_timeout=5, format="text")
OPERATOR = User("operator", "operator-password", privilege=1)
Opener = Callable[..., PyeapiSession]


class Register:
    """A `Trust` that keeps what it is shown, and refuses everything if told so."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.shown: list[tuple[str, str, str]] = []

    def known(self, address: str) -> list[str]:
        return []

    def check(self, address: str, kind: str, fingerprint: str) -> None:
        self.shown.append((address, kind, fingerprint))
        if self.strict:
            raise HostKeyMismatch("another certificate")


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(devices=80, persona="eos", users=[OPERATOR], reload_ms=50) as lab:
        yield lab


@pytest.fixture(scope="module")
def devices(lab: LabProcess) -> Iterator[LabDevice]:
    return iter(lab.devices)


@pytest.fixture
def device(devices: Iterator[LabDevice]) -> LabDevice:
    """A switch that no other test has touched."""
    return next(devices)


@pytest.fixture
def closed(lab: LabProcess, device: LabDevice, tmp_path: Path) -> Iterator[Opener]:
    """Make sessions on `device` that are not open yet; closed after the test."""
    driver = PyeapiDriver([tmp_path])
    made: list[PyeapiSession] = []

    def make(**changes: Any) -> PyeapiSession:
        login = {"username": lab.username, "password": lab.password, "secret": lab.secret, "timeout": 5}
        fields = {"host": device.host, "port": device.https_port, **login, **changes}
        session = driver.session(driver.target(PyeapiConnection.model_validate(fields)))
        assert isinstance(session, PyeapiSession)
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


@pytest.fixture
def opened(closed: Opener) -> Opener:
    """The same, open."""

    def open_(**changes: Any) -> PyeapiSession:
        session = closed(**changes)
        session.open()
        return session

    return open_


@pytest.fixture
def session(opened: Opener) -> PyeapiSession:
    return opened()


@pytest.fixture
def frozen(lab: LabProcess) -> Iterator[Callable[[], None]]:
    """Stop the lab: it says nothing, and closes nothing, until the test is over."""
    yield lambda: os.kill(lab.pid, signal.SIGSTOP)
    os.kill(lab.pid, signal.SIGCONT)


@pytest.fixture
def other_ca() -> str:
    """A CA that has nothing to do with the lab."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody else")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(hours=1))
    authority = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return authority.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@contextmanager
def relay(host: str, device: LabDevice) -> Iterator[int]:
    """Another address of the device; returns the port there."""
    with socket.create_server((host, 0)) as listener, ThreadPoolExecutor() as threads:

        def pump(source: socket.socket, sink: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(65_536):
                    sink.sendall(data)
            with suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)

        def serve() -> None:
            for _ in range(2):
                client, _ = listener.accept()
                assert device.https_port is not None
                ahead = socket.create_connection((device.host, device.https_port))
                with client, ahead:
                    back = threads.submit(pump, ahead, client)
                    pump(client, ahead)
                    back.result()

        threads.submit(serve)
        yield int(listener.getsockname()[1])


def reachable(device: LabDevice) -> bool:
    """Whether somebody listens for HTTPS there."""
    assert device.https_port is not None
    with socket.socket() as probe:
        return probe.connect_ex((device.host, device.https_port)) == 0


def run(session: PyeapiSession, *commands: str, args: PyeapiQuery = QUERY) -> list[Reply]:
    replies: list[Reply] = []
    session.run_commands(commands, args, replies.append)
    return replies


# ── what is answered ──


def test_structures_come_parsed_and_readable(session: PyeapiSession) -> None:
    (reply,) = run(session, "show version")
    assert reply.parsed["modelName"] == "vEOS-lab"
    assert json.loads(reply.stdout) == reply.parsed
    assert reply.stdout.startswith("{\n  ")
    assert reply.verdict is Verdict.DONE
    assert reply.started_at is not None
    assert reply.duration_s > 0


def test_text_comes_as_the_device_writes_it(session: PyeapiSession) -> None:
    (reply,) = run(session, "show running-config", args=TEXT)
    assert reply.stdout.splitlines()[-1] == "end"
    assert reply.parsed is None


def test_a_command_without_structures_is_asked_for_as_text(session: PyeapiSession, lab: LabProcess) -> None:
    (reply,) = run(session, "dir")
    assert reply.stdout.startswith("Directory of flash:/")
    assert reply.parsed is None


def test_the_device_is_asked_by_the_name_it_has(session: PyeapiSession, device: LabDevice) -> None:
    assert session.prompt() == device.name


def test_a_refused_command_is_marked_and_the_others_run(session: PyeapiSession) -> None:
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match="1 of 3 commands were refused, the first: show nonsense"):
        session.run_commands(["show hostname", "show nonsense", "show version"], QUERY, replies.append)
    assert [reply.verdict for reply in replies] == [Verdict.DONE, Verdict.REFUSED, Verdict.DONE]
    assert "Invalid input" in replies[1].stdout
    assert replies[1].exit_status == 1
    assert session.alive()


def test_shortened_commands_are_for_those_who_ask(session: PyeapiSession) -> None:
    with pytest.raises(CommandRejected):
        run(session, "sh ver")
    (reply,) = run(session, "sh ver", args=PyeapiQuery(autoComplete=True))
    assert reply.parsed["version"]


def test_control_characters_are_not_sent(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    with pytest.raises(DriverError, match="line 2 contains a control character"):
        run(session, "show version", "show version\nreload now")
    assert lab.commands(device) == ["show hostname"]


def test_bytes_that_are_no_text_are_no_obstacle(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, NonUtf8(command="show version"))
    (reply,) = run(session, "show version", args=TEXT)
    assert "\ufffd" in reply.stdout
    assert "Arista" in reply.stdout


def test_one_byte_at_a_time(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, OneByte(command="show version"))
    (reply,) = run(session, "show version")
    assert reply.parsed["version"]


def test_a_large_answer(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Huge(command="show version", size_bytes=5_000_000))
    (reply,) = run(session, "show version", args=TEXT)
    assert len(reply.stdout) > 5_000_000


def test_an_answer_without_measure(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Huge(command="show version", size_bytes=32_000_000))
    with pytest.raises(TooLarge):
        run(session, "show version", args=PyeapiQuery(read_timeout=30, format="text"))
    assert not session.alive()


# ── privileges ──


def test_without_enable_mode_an_operator_stays_one(opened: Opener) -> None:
    session = opened(username=OPERATOR.name, password=OPERATOR.password)
    assert run(session, "show version", args=PyeapiQuery(enable_mode=False))
    with pytest.raises(CommandRejected):
        run(session, "show running-config", args=PyeapiQuery(enable_mode=False))
    assert run(session, "show running-config")


@pytest.mark.parametrize("secret", [None, "wrong"])
def test_a_wrong_enable_password(opened: Opener, secret: str | None) -> None:
    session = opened(username=OPERATOR.name, password=OPERATOR.password, secret=secret)
    with pytest.raises(AuthenticationFailed, match="enable mode"):
        run(session, "show version")


# ── one connection ──


@pytest.mark.parametrize("transport", ["https", "https_session"])
def test_all_goes_over_one_connection(opened: Opener, lab: LabProcess, device: LabDevice, transport: str) -> None:
    session = opened(transport=transport)
    for _ in range(3):
        run(session, "show version", "show hostname")
    assert session.ping(2)
    stats = lab.stats(device)
    assert (stats.connections, stats.logins_ok) == (1, 1)


def test_a_connection_that_the_device_closed_is_made_anew(
    session: PyeapiSession, lab: LabProcess, device: LabDevice
) -> None:
    lab.restart(device)
    until(lambda: not session.alive(), "the session knows that it is closed")
    assert not session.ping(1)
    until(lambda: reachable(device), "the device is up again")
    session.trust = register = Register()
    assert run(session, "show version", "show hostname")
    assert len(register.shown) == 1  # the new connection is checked as the first was
    assert session.alive()


def test_a_cookie_that_is_no_longer_good_is_renewed(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session, other = opened(transport="https_session"), opened()
    with pytest.raises(SessionLost):
        run(other, "reload now")
    until(lambda: reachable(device), "the device is up again")
    assert run(session, "show version")[0].parsed["version"]
    assert lab.commands(device).count("show version") == 1


def test_a_device_that_is_gone_between_two_calls_saw_nothing(
    session: PyeapiSession, lab: LabProcess, device: LabDevice
) -> None:
    lab.set_faults(device, RefuseConnect())
    lab.restart(device)
    until(lambda: not session.alive(), "the session knows that it is closed")
    with pytest.raises(Unreachable):
        run(session, "show version")


def test_pyeapis_node_works_on_the_transport(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    node = pyeapi.client.Node(session.transport, enablepwd=lab.secret)
    assert node.enable(["show version"])[0]["result"]["modelName"] == "vEOS-lab"
    assert node.enable(["dir"])[0]["encoding"] == "text"
    with pytest.raises(pyeapi.eapilib.CommandError):
        node.enable(["show nonsense"])
    assert lab.stats(device).connections == 1


# ── logins ──


def test_a_wrong_password(closed: Opener) -> None:
    session = closed(password="wrong")
    with pytest.raises(AuthenticationFailed):
        session.open()
    assert not session.alive()


def test_a_wrong_password_for_a_cookie(closed: Opener, lab: LabProcess, device: LabDevice) -> None:
    with pytest.raises(AuthenticationFailed):
        closed(transport="https_session", password="wrong").open()
    assert [login.ok for login in lab.logins(device)] == [False]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (RefuseLogin(), AuthenticationFailed),
        (RefuseConnect(), Unreachable),
        (Silent(), Unreachable),
        (Drop(at="connect"), Unreachable),
        (Drop(at="login"), Unreachable),
        (Drop(at="login", how="fin"), Unreachable),
        (Slow(at="login", delay_ms=10_000), Unreachable),
        (Stall(command="show hostname"), Unreachable),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
@pytest.mark.parametrize("transport", ["https", "https_session"])
def test_logins_that_fail(
    closed: Opener, lab: LabProcess, device: LabDevice, transport: str, fault: Fault, error: type[DriverError]
) -> None:
    lab.set_faults(device, fault)
    session = closed(transport=transport, timeout=0.3)
    with pytest.raises(error) as caught:
        session.open()
    assert lab.password not in str(caught.value)
    assert not session.alive()


def test_a_certificate_is_shown_before_anything_is_said(closed: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = closed()
    session.trust = register = Register(strict=True)
    with pytest.raises(HostKeyMismatch):
        session.open()
    ((address, kind, fingerprint),) = register.shown
    assert (address, kind) == (f"{device.host}:{device.https_port}", "x509")
    assert fingerprint.startswith("SHA256:")
    assert lab.logins(device) == []
    assert lab.commands(device) == []


def test_a_login_is_one_connection(closed: Opener, device: LabDevice) -> None:
    """One that breaks in the midst of it is not made anew in silence."""

    class Puller(Register):
        def check(self, address: str, kind: str, fingerprint: str) -> None:
            laid.pull()

    assert device.https_port is not None
    with cable(device.https_port) as laid:
        session = closed(port=laid.port)
        session.trust = Puller()
        with pytest.raises(Unreachable):
            session.open()
        assert laid.connections == 1


def test_a_ca_vouches_for_the_device(opened: Opener, lab: LabProcess, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(lab.eapi_ca)
    assert run(opened(ca=lab.eapi_ca), "show version")
    assert run(opened(ca_file="ca.pem"), "show version")


def test_another_ca_does_not(closed: Opener, lab: LabProcess, device: LabDevice, other_ca: str) -> None:
    session = closed(ca=other_ca)
    with pytest.raises(HostKeyMismatch, match="the given CA vouches for"):
        session.open()
    assert lab.logins(device) == []


def test_a_certificate_is_for_its_host_only(closed: Opener, lab: LabProcess, device: LabDevice) -> None:
    with relay("127.0.0.2", device) as port:
        with pytest.raises(HostKeyMismatch):
            closed(host="127.0.0.2", port=port, ca=lab.eapi_ca).open()
        assert lab.logins(device) == []
        session = closed(host="127.0.0.2", port=port)
        session.open()  # as far as TLS alone goes, it is the device
        session.close()


@pytest.mark.parametrize("files", [{"ca_file": "../secret.pem"}, {"ca_file": "/etc/passwd"}, {"ca_file": "missing"}])
def test_no_login_names_a_file_elsewhere(closed: Opener, lab: LabProcess, device: LabDevice, files: Any) -> None:
    with pytest.raises(AuthenticationFailed):
        closed(**files).open()
    assert lab.logins(device) == []


def test_a_key_that_cannot_be_read(closed: Opener, lab: LabProcess) -> None:
    key = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"
    with pytest.raises(AuthenticationFailed, match="cannot be read"):
        closed(client_cert=lab.eapi_ca, client_key=key).open()


# ── what breaks off ──


def test_a_device_that_dies_in_a_command_is_noticed_at_once(
    session: PyeapiSession, lab: LabProcess, device: LabDevice
) -> None:
    lab.set_faults(device, Slow(command="show version", delay_ms=20_000))
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run, session, "show version", args=PyeapiQuery(read_timeout=20))
        lab.wait_received(device, "show version")
        died = time.monotonic()
        lab.restart(device)
        with pytest.raises(SessionLost):
            running.result(20)
        assert time.monotonic() - died < 0.5  # measured: 3 ms
    assert not session.alive()


@pytest.mark.parametrize("how", ["rst", "fin"])
@pytest.mark.parametrize("after_bytes", [0, 20, 1_000_000])
def test_an_answer_that_breaks_off(
    session: PyeapiSession, lab: LabProcess, device: LabDevice, how: Any, after_bytes: int
) -> None:
    lab.set_faults(device, Drop(command="show version", how=how, after_bytes=after_bytes))
    replies: list[Reply] = []
    with pytest.raises(SessionLost):
        session.run_commands(["show hostname", "show version", "show hostname"], QUERY, replies.append)
    assert [reply.command for reply in replies] == ["show hostname"]
    assert lab.commands(device).count("show version") == 1


def test_an_answer_that_does_not_come(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version"))
    began = time.monotonic()
    with pytest.raises(ReplyTimeout, match=r"within 0\.3 s"):
        run(session, "show version", args=PyeapiQuery(read_timeout=0.3))
    assert 0.25 < time.monotonic() - began < 1.5
    assert not session.alive()


def test_an_answer_that_trickles_has_the_same_limit(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, OneByte(command="show version", gap_ms=50))
    began = time.monotonic()
    with pytest.raises(ReplyTimeout):
        run(session, "show version", args=PyeapiQuery(read_timeout=0.3))
    assert time.monotonic() - began < 1.5


def test_a_later_command_on_a_device_that_went_away_is_not_as_if_nothing_was_sent(
    session: PyeapiSession, lab: LabProcess, device: LabDevice
) -> None:
    def cut(_: Reply) -> None:
        lab.set_faults(device, RefuseConnect())
        lab.restart(device)
        until(lambda: not session.alive(), "the session knows that it is closed")

    with pytest.raises(SessionLost):
        session.run_commands(["show hostname", "show version"], QUERY, cut)


def test_abort_ends_a_command(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Slow(command="show version", delay_ms=20_000))
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run, session, "show version", args=PyeapiQuery(read_timeout=20))
        lab.wait_received(device, "show version")
        began = time.monotonic()
        session.abort()
        with pytest.raises(SessionAborted):
            running.result(20)
        assert time.monotonic() - began < 0.5  # measured: below 1 ms
    assert not session.alive()
    with pytest.raises(SessionAborted):
        run(session, "show hostname")


@pytest.mark.parametrize("fault", [Silent(), Slow(at="login", delay_ms=20_000)], ids=["handshake", "login"])
def test_abort_ends_a_login(closed: Opener, lab: LabProcess, device: LabDevice, fault: Fault) -> None:
    lab.set_faults(device, fault)
    session = closed(timeout=20)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(session.open)
        until(lambda: lab.stats(device).connections, "the device has been called")
        began = time.monotonic()
        session.abort()
        with pytest.raises(SessionAborted):
            running.result(20)
        assert time.monotonic() - began < 0.5  # measured: below 1 ms


def test_nothing_is_sent_without_leave(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    def forbid() -> None:
        raise LeaseLost("no")

    session.guard = forbid
    with pytest.raises(LeaseLost):
        run(session, "show version")
    assert lab.commands(device) == ["show hostname"]


def test_ping_notices_a_frozen_device(session: PyeapiSession, lab: LabProcess, frozen: Callable[[], None]) -> None:
    frozen()
    began = time.monotonic()
    assert not session.ping(0.3)
    assert time.monotonic() - began < 1


def test_a_closed_session_leaves_no_thread_and_no_life(session: PyeapiSession) -> None:
    threads = threading.active_count()
    session.close()
    session.close()
    assert not session.alive()
    assert not session.ping(1)
    assert threading.active_count() == threads
