"""The napalm driver over NETCONF, on a small server of our own: what a Junos device answers is made up, SSH is real."""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import asyncssh
import pytest

from drivers.base import Change, ConfigSession, Reply, Trust, Verdict
from drivers.errors import (
    AuthenticationFailed,
    CommandRejected,
    DriverError,
    HostKeyMismatch,
    LeaseLost,
    SessionAborted,
    SessionLost,
)
from drivers.napalm import NapalmConfig, NapalmConnection, NapalmDriver, NapalmQuery, NapalmSession
from tests.waiting import until

END = b"]]>]]>"
ABLE = ("base:1.0", "capability:candidate:1.0", "capability:rollback-on-error:1.0")
HELLO = (
    '<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities>'
    + "".join(f"<capability>urn:ietf:params:netconf:{able}</capability>" for able in ABLE)
    + "</capabilities><session-id>7</session-id></hello>"
)
NAME = "np0123456789ab"


class Device(asyncssh.SSHServer):
    """A NETCONF server. `hang` and `drop` are words of requests that it does not answer, or hangs up on."""

    def __init__(self) -> None:
        self.passwords: list[str] = []
        self.requests: list[str] = []
        self.comment = ""
        self.refuse, self.hang, self.drop = "never", "never", "never"
        self.port = 0

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self.passwords.append(password)
        return password == "right"

    async def serve(self, process: "asyncssh.SSHServerProcess[bytes]") -> None:
        process.stdout.write(HELLO.encode() + END)
        await process.stdin.readuntil(END)
        while True:
            try:
                request = (await process.stdin.readuntil(END)).decode()
            except asyncio.IncompleteReadError:
                return
            self.requests.append(request)
            if self.drop in request:
                process.channel.get_connection().abort()
                return
            if self.hang not in request:
                process.stdout.write(self._reply(request).encode() + END)

    def _reply(self, request: str) -> str:
        number = re.search(r'message-id="([^"]+)"', request)
        namespace = "urn:ietf:params:xml:ns:netconf:base:1.0"
        return f'<rpc-reply xmlns="{namespace}" message-id="{number and number[1]}">{self._answer(request)}</rpc-reply>'

    def _answer(self, request: str) -> str:
        if self.refuse in request:
            said = "<error-severity>error</error-severity><error-message>syntax error</error-message>"
            return f"<rpc-error>{said}</rpc-error>"
        if "get-commit-information" in request:
            log = f"<log>{self.comment}</log>"
            return f"<commit-information><commit-history>{log}</commit-history></commit-information>"
        if 'compare="rollback"' in request:
            output = "<configuration-output>[edit system]\n+  host-name r9;\n</configuration-output>"
            return f"<configuration-information>{output}</configuration-information>"
        if "<command" in request:
            return "<output>Hostname: r1</output>"
        if "<commit-configuration" in request:
            self.comment = (re.findall(r"<log>(.*?)</log>", request) or [""])[0]
        return "<ok/>"


class Register:
    """A `Trust` that keeps what it is shown, and refuses everything if told so."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.shown: list[str] = []

    def known(self, address: str) -> list[str]:
        return []

    def check(self, address: str, kind: str, fingerprint: str) -> None:
        self.shown.append(kind)
        if self.strict:
            raise HostKeyMismatch("another key")


@pytest.fixture
def device() -> Iterator[Device]:
    """A server in an event loop of its own."""
    device, loop = Device(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_start(device), loop).result(10)
    device.port = server.get_port()
    yield device
    asyncio.run_coroutine_threadsafe(_stop(server), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


async def _start(device: Device) -> Any:
    keys = [asyncssh.generate_private_key("ssh-ed25519")]
    factories: dict[str, Any] = {"server_factory": lambda: device, "process_factory": device.serve}
    return await asyncssh.listen("127.0.0.1", 0, server_host_keys=keys, encoding=None, **factories)


async def _stop(server: Any) -> None:
    server.close()
    await server.wait_closed()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def closed(device: Device) -> Iterator[Callable[..., NapalmSession]]:
    made: list[NapalmSession] = []

    def make(trust: Trust | None = None, **changes: Any) -> NapalmSession:
        where = {"device_type": "junos", "host": "127.0.0.1", "port": device.port, "timeout": 5}
        login = NapalmConnection.model_validate({**where, "username": "admin", "password": "right", **changes})
        driver = NapalmDriver()
        session = driver.session(driver.target(login))
        assert isinstance(session, NapalmSession)
        session.trust = trust or Register()
        made.append(session)
        return session

    yield make
    for session in made:
        session.close()


@pytest.fixture
def session(closed: Callable[..., NapalmSession]) -> NapalmSession:
    made = closed()
    made.open()
    return made


def change(*lines: str, undoable: bool = False, **args: Any) -> Change:
    return Change(lines, NapalmConfig(read_timeout=5, **args), NAME, undoable)


def names(device: Device) -> list[str]:
    """The requests' names."""
    return re.findall(r'message-id="[^"]*"[^>]*><(?:\w+:)?([\w-]+)', "".join(device.requests))


def ignore(_: Reply) -> None: ...


@pytest.mark.parametrize("device_type", ["junos", "iosxr_netconf"])
def test_the_key_is_looked_at_and_the_session_lives(closed: Callable[..., NapalmSession], device_type: str) -> None:
    register = Register()
    session = closed(register, device_type=device_type)
    session.open()
    assert register.shown == ["ssh-ed25519"]
    assert session.alive()
    assert session.ping(2)
    session.close()
    assert not session.alive()


def test_no_password_goes_to_a_stranger(closed: Callable[..., NapalmSession], device: Device) -> None:
    with pytest.raises(HostKeyMismatch):
        closed(Register(strict=True)).open()
    assert device.passwords == []


def test_a_wrong_password(closed: Callable[..., NapalmSession], device: Device) -> None:
    with pytest.raises(AuthenticationFailed) as raised:
        closed(password="wrong-one").open()
    assert "wrong-one" not in str(raised.value)
    assert device.passwords == ["wrong-one"]


def test_commands(session: NapalmSession) -> None:
    replies: list[Reply] = []
    with pytest.raises(CommandRejected):
        session.run_commands(["show version", "show log | match (a+)+$"], NapalmQuery(), replies.append)
    assert [reply.verdict for reply in replies] == [Verdict.DONE, Verdict.REFUSED]
    assert "Hostname: r1" in replies[0].stdout
    assert "literal text only" in replies[1].stderr


def test_a_dry_run_commits_nothing(session: NapalmSession, device: Device) -> None:
    difference = session.apply_config(change("set system host-name r9", dry_run=True), ignore)
    assert "host-name r9" in (difference or "")
    assert "commit-configuration" not in names(device)
    assert names(device)[-1] == "unlock-configuration"


def test_a_commit_says_whose_it_is_and_is_undone_by_that(session: NapalmSession, device: Device) -> None:
    session.apply_config(change("set system host-name r9", undoable=True, message="because"), ignore)
    assert device.comment == f"{NAME} because"
    session.undo(change(undoable=True), ignore)
    assert 'rollback="1"' in "".join(device.requests)


def test_another_commit_is_not_undone(session: NapalmSession, device: Device) -> None:
    device.comment = "somebody else's"
    session.undo(change(undoable=True), ignore)
    assert 'rollback="1"' not in "".join(device.requests)


def test_ios_xr_has_no_commands_and_drops_what_it_refuses(closed: Callable[..., NapalmSession], device: Device) -> None:
    session = closed(device_type="iosxr_netconf")
    session.open()
    replies: list[Reply] = []
    with pytest.raises(CommandRejected):
        session.run_commands(["show version"], NapalmQuery(), replies.append)
    assert "cannot do this" in replies[0].stderr
    device.refuse = "<cli"  # before there is anything to compare
    with pytest.raises(CommandRejected, match="load_merge_candidate was refused"):
        session.apply_config(change("hostname r9"), replies.append)
    assert names(device)[-3:] == ["edit-config", "discard-changes", "unlock"]


def test_a_refused_line_is_discarded(session: NapalmSession, device: Device) -> None:
    device.refuse = "<configuration-set>"
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match="load_merge_candidate was refused"):
        session.apply_config(change("set nonsense"), replies.append)
    assert "syntax error" in replies[0].stdout
    assert 'rollback="0"' in "".join(device.requests)
    assert "commit-configuration" not in names(device)
    assert session.alive()


def test_a_device_that_dies_during_a_request_is_seen_at_once(session: NapalmSession, device: Device) -> None:
    device.drop = "show version"
    began = time.monotonic()
    with pytest.raises(SessionLost):
        session.run_commands(["show version"], NapalmQuery(), ignore)
    assert time.monotonic() - began < 0.5
    assert not session.alive()


def test_an_abort_ends_a_request_at_once(session: NapalmSession, device: Device) -> None:
    device.hang = "show version"
    errors: list[DriverError] = []

    def run() -> None:
        with pytest.raises(DriverError) as raised:
            session.run_commands(["show version"], NapalmQuery(), ignore)
        errors.append(raised.value)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: device.requests, "the request")
    began = time.monotonic()
    session.abort()
    thread.join(5)
    assert time.monotonic() - began < 0.3
    assert isinstance(errors[0], SessionAborted)


def test_nothing_is_sent_once_the_lease_is_lost(session: NapalmSession, device: Device) -> None:
    def lost() -> None:
        raise LeaseLost("lost")

    session.guard = lost
    with pytest.raises(LeaseLost):
        cast(ConfigSession, session).apply_config(change("set system host-name r9"), ignore)
    assert device.requests == []
