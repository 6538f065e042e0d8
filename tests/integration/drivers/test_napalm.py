"""The napalm driver on simulated EOS switches (HTTPS) and IOS routers (SSH, on netmiko's sessions)."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from drivers.base import Change, ConfigSession, Driver, Reply, Session, Verdict
from drivers.errors import (
    AuthenticationFailed,
    CommandRejected,
    DriverError,
    HostKeyMismatch,
    LeaseLost,
    ReplyTimeout,
    SessionAborted,
    SessionLost,
    Unreachable,
)
from drivers.lab import Drop, LabDevice, LabProcess, RefuseConnect, RefuseLogin, Silent, Stall
from drivers.napalm import NapalmConfig, NapalmConnection, NapalmDriver, NapalmQuery
from drivers.netmiko import NetmikoConfig, NetmikoConnection, NetmikoDriver, NetmikoQuery
from drivers.pool import PoolLimits, SessionPool
from tests.waiting import until

QUERY = NapalmQuery(read_timeout=5)
NAME = "np0123456789ab"
OTHER = "npba9876543210"
DRIVERS: dict[str, Driver] = {"napalm": NapalmDriver(), "netmiko": NetmikoDriver()}
LINES = ["interface Loopback7", "description by napalm"]


class Register:
    """A `Trust` that keeps what it is shown, and refuses everything if told so."""

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.shown: list[tuple[str, str]] = []

    def known(self, address: str) -> list[str]:
        return []

    def check(self, address: str, kind: str, fingerprint: str) -> None:
        self.shown.append((address, kind))
        if self.strict:
            raise HostKeyMismatch("another key")


@dataclass
class Stage:
    """One device, and the sessions that a test opens on it."""

    lab: LabProcess
    device: LabDevice
    platform: str
    replies: list[Reply] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)

    def login(self, **changes: Any) -> NapalmConnection:
        port = self.device.https_port if self.platform == "eos" else self.device.port
        login = {"username": self.lab.username, "password": self.lab.password, "secret": self.lab.secret}
        where = {"device_type": self.platform, "host": self.device.host, "port": port, "timeout": 5}
        return NapalmConnection.model_validate({**where, **login, **changes})

    def closed(self, **changes: Any) -> Session:
        target = DRIVERS["napalm"].target(self.login(**changes))
        self.sessions.append(DRIVERS[target.family].session(target))
        return self.sessions[-1]

    def opened(self) -> tuple[Session, ConfigSession]:
        """An open session, and napalm's view of it."""
        session = self.closed()
        session.open()
        return session, cast(ConfigSession, DRIVERS["napalm"].view(session, self.login()))

    def ask(self, view: Session, *commands: str, args: NapalmQuery = QUERY) -> list[Reply]:
        replies: list[Reply] = []
        view.run_commands(commands, args, replies.append)
        return replies

    def running(self) -> list[str]:
        return self.lab.running_config(self.device)


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[str, tuple[LabProcess, Iterator[LabDevice]]]]:
    with ExitStack() as stack:
        made = {}
        for persona in ("eos", "ios"):
            lab = stack.enter_context(LabProcess(devices=50, persona=persona, options=["--minute-ms=400"]))
            made[persona] = (lab, iter(lab.devices))
        yield made


def _stage(labs: dict[str, tuple[LabProcess, Iterator[LabDevice]]], platform: str) -> Iterator[Stage]:
    lab, devices = labs[platform]
    stage = Stage(lab, next(devices), platform)
    yield stage
    for session in stage.sessions:
        session.close()
    lab.clear_faults(stage.device)


@pytest.fixture(params=["eos", "ios"])
def stage(request: pytest.FixtureRequest, labs: Any) -> Iterator[Stage]:
    yield from _stage(labs, request.param)


@pytest.fixture
def eos(labs: Any) -> Iterator[Stage]:
    yield from _stage(labs, "eos")


@pytest.fixture
def ios(labs: Any) -> Iterator[Stage]:
    yield from _stage(labs, "ios")


@pytest.fixture
def ready(stage: Stage) -> tuple[Stage, ConfigSession]:
    """An open view of a device that is prepared for changes."""
    session, view = stage.opened()
    if stage.platform == "ios":
        prepare(session)
    return stage, view


def prepare(session: Session, *lines: str) -> None:
    """Configure a router without NAPALM; by default switch on what that needs."""
    lines = lines or ("ip scp server enable", "archive", "path flash:kept")
    change = Change(lines, NetmikoConfig(save=True), "np000000000000")
    cast(ConfigSession, session).apply_config(change, lambda _: None)


def change(*lines: str, name: str = NAME, undoable: bool = False, **args: Any) -> Change:
    return Change(lines, NapalmConfig(read_timeout=10, **args), name, undoable)


def steps(replies: list[Reply]) -> list[tuple[str, str]]:
    return [(reply.command, reply.verdict.value) for reply in replies]


def files(stage: Stage, view: Session) -> str:
    """What flash holds, without what NAPALM always leaves there."""
    listing = stage.ask(view, "dir flash:")[0].stdout
    kept = ("rollback-0", "rollback_config", "free)")
    lines = [line for line in listing.splitlines() if not any(word in line for word in kept)]
    return "\n".join(lines)


# ── queries ──


def test_getters_and_commands_run_in_one_session(stage: Stage) -> None:
    _, view = stage.opened()
    facts, interfaces, clock = stage.ask(view, "get_facts", "get_interfaces_ip", "show clock")
    assert facts.parsed["hostname"] == stage.device.name
    assert '"hostname"' in facts.stdout
    assert any("ipv4" in families for families in interfaces.parsed.values())
    assert clock.parsed is None
    assert "UTC" in clock.stdout
    assert {reply.verdict for reply in (facts, interfaces, clock)} == {Verdict.DONE}
    assert stage.lab.stats(stage.device).connections == 1


def test_arguments_reach_the_getters_that_take_them(stage: Stage) -> None:
    _, view = stage.opened()
    args = NapalmQuery(retrieve="running", sanitized=True)
    config, _ = stage.ask(view, "get_config", "get_facts", args=args)
    assert "hostname" in config.parsed["running"]
    assert config.parsed["startup"] == ""


def test_an_argument_that_no_getter_takes_stops_all(stage: Stage) -> None:
    session, view = stage.opened()
    before = stage.lab.commands(stage.device)
    with pytest.raises(CommandRejected, match="no command of the list takes retrieve; nothing was sent"):
        view.run_commands(["get_facts", "show clock"], NapalmQuery(retrieve="running"), stage.replies.append)
    assert steps(stage.replies) == [("get_facts", "skipped"), ("show clock", "skipped")]
    assert stage.lab.commands(stage.device) == before
    assert session.alive()


def test_what_is_refused_says_why_and_the_rest_is_run(stage: Stage) -> None:
    session, view = stage.opened()
    commands = ["show nonsense", "get_firewall_policies", "rollback", "compare_config", "ping", "show clock"]
    with pytest.raises(CommandRejected, match="5 of 6 commands were refused, the first: show nonsense"):
        view.run_commands(commands, QUERY, stage.replies.append)
    assert [reply.verdict for reply in stage.replies] == [*[Verdict.REFUSED] * 5, Verdict.DONE]
    nonsense, getter, rollback, compare, ping, _ = stage.replies
    assert "nvalid input" in nonsense.stdout + nonsense.stderr
    assert "has no such getter" in getter.stderr
    assert "send it as the only line of a change" in rollback.stderr
    assert "dry_run" in compare.stderr
    assert "ping needs destination" in ping.stderr
    assert session.alive()


def test_json_from_a_command(eos: Stage) -> None:
    _, view = eos.opened()
    (version,) = eos.ask(view, "show version", args=NapalmQuery(encoding="json"))
    assert version.parsed["version"]


def test_an_encoding_that_the_platform_lacks_is_refused(ios: Stage) -> None:
    _, view = ios.opened()
    with pytest.raises(CommandRejected):
        view.run_commands(["show version"], NapalmQuery(encoding="json"), ios.replies.append)
    assert "cannot do this, or not so" in ios.replies[0].stderr


def test_control_characters_never_reach_the_device(stage: Stage) -> None:
    _, view = stage.opened()
    before = stage.lab.commands(stage.device)
    with pytest.raises(DriverError, match="control character"):
        view.run_commands(["show clock\nreload"], QUERY, stage.replies.append)
    assert stage.lab.commands(stage.device) == before


# ── one session for two drivers ──


@pytest.mark.anyio
async def test_netmiko_and_napalm_share_a_session(ios: Stage) -> None:
    pool = SessionPool(DRIVERS, PoolLimits(), on_let_go=lambda _: None)
    same = {"host": ios.device.host, "port": ios.device.port, "username": ios.lab.username, "timeout": 5}
    secrets = {"password": ios.lab.password, "secret": ios.lab.secret}
    netmiko = NetmikoConnection.model_validate({"device_type": "cisco_ios", **same, **secrets})
    replies: list[Reply] = []
    async with pool.lease(DRIVERS["netmiko"].target(netmiko), lambda: None) as lease:
        await lease.call(lease.session.run_commands, ["show clock"], NetmikoQuery(), replies.append)
    async with pool.lease(DRIVERS["napalm"].target(ios.login(device_type="cisco_ios")), lambda: None) as lease:
        view = DRIVERS["napalm"].view(lease.session, ios.login())
        await lease.call(view.run_commands, ["get_facts"], QUERY, replies.append)
        assert lease.reused
    await pool.close()
    assert replies[1].parsed["hostname"] == ios.device.name
    assert ios.lab.stats(ios.device).logins_ok == 1


# ── changes ──


def test_a_dry_run_shows_the_difference_and_leaves_nothing(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    before, listing = stage.running(), files(stage, view)
    difference = view.apply_config(change(*LINES, dry_run=True), stage.replies.append)
    assert "+interface Loopback7" in (difference or "")
    assert steps(stage.replies) == [("load_merge_candidate", "done"), ("discard_config", "done")]
    assert stage.running() == before
    assert files(stage, view) == listing


def test_a_change_is_made_and_saved(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    listing = files(stage, view)
    difference = view.apply_config(change(*LINES), stage.replies.append)
    assert "description by napalm" in (difference or "")
    assert steps(stage.replies) == [("load_merge_candidate", "done"), ("commit_config", "done")]
    assert "interface Loopback7" in stage.running()
    assert "interface Loopback7" in (stage.lab.startup_config(stage.device) or [])
    assert files(stage, view) == listing


def test_a_refused_line_changes_nothing(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    before, listing = stage.running(), files(stage, view)
    with pytest.raises(CommandRejected, match="was refused"):
        view.apply_config(change("interface Loopback7", "nonsense here"), stage.replies.append)
    assert files(stage, view) == listing
    assert stage.replies[-1].verdict is Verdict.REFUSED
    assert "nonsense" in stage.replies[-1].stdout
    assert stage.running() == before
    assert view.alive()
    assert stage.ask(view, "get_facts")[0].verdict is Verdict.DONE


def test_replacing_the_configuration(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    view.apply_config(change(*LINES), stage.replies.append)
    (config,) = stage.ask(view, "get_config", args=NapalmQuery(retrieve="running"))
    text = config.parsed["running"].replace("by napalm", "replaced")
    difference = view.apply_config(change(*text.splitlines(), name=OTHER, replace=True), stage.replies.append)
    assert "replaced" in (difference or "")
    assert any("description replaced" in line for line in stage.running())


def test_an_undone_change_is_gone_from_another_session_too(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    view.apply_config(change("interface Loopback5", name=OTHER), stage.replies.append)
    before, listing = stage.running(), files(stage, view)
    view.apply_config(change(*LINES, undoable=True), stage.replies.append)
    assert stage.running() != before
    _, another = stage.opened()
    another.undo(change(*LINES, undoable=True), stage.replies.append)
    assert stage.running() == before
    assert files(stage, view) == listing


def test_undoing_a_change_that_never_came_into_force(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    before = stage.running()
    with pytest.raises(CommandRejected):
        view.apply_config(change("nonsense", undoable=True), stage.replies.append)
    view.undo(change("nonsense", undoable=True), stage.replies.append)
    assert stage.running() == before


def test_a_kept_change_leaves_no_file(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    listing = files(stage, view)
    view.apply_config(change(*LINES, undoable=True), stage.replies.append)
    assert files(stage, view) != listing
    view.keep(change(*LINES, undoable=True), stage.replies.append)
    assert files(stage, view) == listing
    assert "interface Loopback7" in stage.running()


def test_a_change_reverts_after_minutes(ios: Stage) -> None:
    session, view = ios.opened()
    prepare(session)
    before = ios.running()
    view.apply_config(change(*LINES, revert_in=1), ios.replies.append)  # a minute, which the lab has short
    assert "interface Loopback7" in ios.running()
    until(lambda: ios.running() == before, "the change is taken back")


def test_a_change_reverts_after_seconds(eos: Stage) -> None:
    _, view = eos.opened()
    before = eos.running()
    view.apply_config(change(*LINES, revert_in=1), eos.replies.append)
    assert "interface Loopback7" in eos.running()
    until(lambda: eos.running() == before, "the change is taken back")


def test_a_change_is_confirmed_by_another_session(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    view.apply_config(change(*LINES, revert_in=7200), stage.replies.append)
    _, another = stage.opened()
    another.confirm(change(revert_in=7200), stage.replies.append)
    assert "interface Loopback7" in (stage.lab.startup_config(stage.device) or [])
    with pytest.raises(CommandRejected):
        another.confirm(change(), stage.replies.append)


def test_a_change_that_waits_is_undone_at_once(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    before = stage.running()
    view.apply_config(change(*LINES, revert_in=7200, undoable=True), stage.replies.append)
    view.undo(change(*LINES, revert_in=7200, undoable=True), stage.replies.append)
    assert stage.running() == before


def test_rollback_takes_the_last_commit_back(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    view.apply_config(change("interface Loopback5", name=OTHER), stage.replies.append)
    before = stage.running()
    view.apply_config(change(*LINES), stage.replies.append)
    view.apply_config(change("rollback"), stage.replies.append)
    assert stage.running() == before


def test_what_the_platform_cannot_do_is_refused_before_anything_is_sent(stage: Stage) -> None:
    refused_unsent(stage, "keeps no commit message", message="because")


def test_a_timer_longer_than_the_platforms_is_refused_before_anything_is_sent(ios: Stage) -> None:
    refused_unsent(ios, "takes a change back after at most", revert_in=7201)


def refused_unsent(stage: Stage, why: str, **args: Any) -> None:
    _, view = stage.opened()
    before = stage.lab.commands(stage.device)
    with pytest.raises(CommandRejected, match=why):
        view.apply_config(change(*LINES, **args), stage.replies.append)
    assert [line for line in stage.lab.commands(stage.device)[len(before) :] if not line.startswith("enable")] == []


def test_ios_without_scp_says_so(ios: Stage) -> None:
    session, view = ios.opened()
    prepare(session, "no ip scp server enable")
    with pytest.raises(CommandRejected):
        view.apply_config(change(*LINES), ios.replies.append)
    assert "ip scp server enable" in ios.replies[0].stdout
    assert session.alive()


# ── trust, faults, aborts ──


def test_the_device_proves_who_it_is_on_every_connection(ready: tuple[Stage, ConfigSession]) -> None:
    stage, _ = ready
    register = Register()
    session = stage.closed()
    session.trust = register
    session.open()
    view = cast(ConfigSession, DRIVERS["napalm"].view(session, stage.login()))
    view.apply_config(change(*LINES, dry_run=True), stage.replies.append)
    address = DRIVERS["napalm"].target(stage.login()).device_key
    connections = {"eos": 1, "ios": 2}[stage.platform]  # IOS takes files by a second login
    assert [shown[0] for shown in register.shown] == [address] * connections


def test_no_password_goes_to_a_stranger(stage: Stage) -> None:
    session = stage.closed()
    session.trust = Register(strict=True)
    with pytest.raises(HostKeyMismatch):
        session.open()
    assert stage.lab.logins(stage.device) == []


def test_a_certificate_that_the_ca_vouches_for(eos: Stage) -> None:
    session = eos.closed(ca=eos.lab.eapi_ca)
    session.trust = Register(strict=True)  # not asked
    session.open()
    assert session.alive()


@pytest.mark.parametrize(
    ("fault", "error"),
    [(RefuseLogin(), AuthenticationFailed), (RefuseConnect(), Unreachable), (Drop(at="connect"), Unreachable)],
)
def test_logins_that_fail(stage: Stage, fault: Any, error: type[DriverError]) -> None:
    stage.lab.set_faults(stage.device, fault)
    with pytest.raises(error) as raised:
        stage.closed().open()
    assert stage.lab.password not in str(raised.value)


def test_a_silent_device_ends_the_login_in_time(stage: Stage) -> None:
    stage.lab.set_faults(stage.device, Silent())
    began = time.monotonic()
    with pytest.raises(Unreachable):
        stage.closed(timeout=0.3).open()
    assert time.monotonic() - began < 3


def test_a_device_that_dies_during_a_getter_is_seen_at_once(stage: Stage) -> None:
    session, view = stage.opened()
    stage.lab.set_faults(stage.device, Drop(command="show version"))
    began = time.monotonic()
    with pytest.raises(SessionLost):
        view.run_commands(["get_facts"], QUERY, stage.replies.append)
    assert time.monotonic() - began < 0.5
    assert not session.alive()


def test_a_getter_that_takes_too_long(stage: Stage) -> None:
    session, view = stage.opened()
    stage.lab.set_faults(stage.device, Stall(command="show version"))
    with pytest.raises(ReplyTimeout):
        view.run_commands(["get_facts"], NapalmQuery(read_timeout=0.3), stage.replies.append)
    assert not session.alive()


def test_an_abort_ends_a_getter_at_once(stage: Stage) -> None:
    session, view = stage.opened()
    stage.lab.set_faults(stage.device, Stall(command="show version"))
    ended: list[float] = []

    def run() -> None:
        with pytest.raises(SessionAborted):
            view.run_commands(["get_facts"], QUERY, stage.replies.append)
        ended.append(time.monotonic())

    thread = threading.Thread(target=run)
    thread.start()
    stage.lab.wait_received(stage.device, "show version")
    began = time.monotonic()
    session.abort()
    thread.join(5)
    assert ended
    assert ended[0] - began < 0.3


def test_a_session_that_breaks_off_in_the_commit_is_undone_by_another(ready: tuple[Stage, ConfigSession]) -> None:
    stage, view = ready
    before = stage.running()
    commit = {"eos": f"configure session {NAME} commit", "ios": f"copy flash:/{NAME}.new"}[stage.platform]
    stage.lab.set_faults(stage.device, Drop(command=commit, after_bytes=10_000))
    with pytest.raises(SessionLost):
        view.apply_config(change(*LINES, undoable=True), stage.replies.append)
    stage.lab.clear_faults(stage.device)
    assert not view.alive()
    assert stage.running() != before
    _, another = stage.opened()
    another.undo(change(*LINES, undoable=True), stage.replies.append)
    assert stage.running() == before


def after(writes: int) -> Callable[[], None]:
    """A guard that forbids all but the first few writes."""
    left = iter(range(writes))

    def guard() -> None:
        if next(left, None) is None:
            raise LeaseLost("lost")

    return guard


@pytest.mark.parametrize("writes", [0, 1, 3])
def test_nothing_is_written_once_the_lease_is_lost(ready: tuple[Stage, ConfigSession], writes: int) -> None:
    stage, view = ready
    before = stage.running()
    stage.sessions[0].guard = after(writes)
    with pytest.raises(LeaseLost):
        view.apply_config(change(*LINES), stage.replies.append)
    assert stage.running() == before
    assert not stage.sessions[0].alive()
