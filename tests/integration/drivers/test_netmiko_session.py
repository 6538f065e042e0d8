"""netmiko sessions on simulated IOS routers over real SSH."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import netmiko
import pytest

from drivers.base import Change, Reply, Session, Verdict
from drivers.errors import (
    AuthenticationFailed,
    CommandRejected,
    DriverError,
    LeaseLost,
    ReplyTimeout,
    SessionAborted,
    SessionLost,
    Unreachable,
)
from drivers.lab import (
    Ask,
    Drop,
    Fault,
    Huge,
    LabDevice,
    LabProcess,
    NonUtf8,
    OneByte,
    PromptChange,
    RefuseConnect,
    RefuseLogin,
    Silent,
    Slow,
    Stall,
    User,
)
from drivers.netmiko import NetmikoConfig, NetmikoConnection, NetmikoDriver, NetmikoQuery
from drivers.netmiko.session import NetmikoSession
from drivers.sockets import TcpLine
from tests.waiting import until

QUERY = NetmikoQuery(read_timeout=5)
CONFIG = NetmikoConfig(read_timeout=5)
NAME = "np0123456789ab"
OPERATOR = User("operator", "operator-password", privilege=1)
Opener = Callable[..., NetmikoSession]


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(devices=60, users=[OPERATOR], reload_ms=100) as lab:
        yield lab


@pytest.fixture(scope="module")
def devices(lab: LabProcess) -> Iterator[LabDevice]:
    return iter(lab.devices)


@pytest.fixture
def device(devices: Iterator[LabDevice]) -> LabDevice:
    """A router that no other test has touched."""
    return next(devices)


@pytest.fixture
def closed(lab: LabProcess, device: LabDevice) -> Iterator[Opener]:
    """Make sessions on `device` that are not open yet; closed after the test."""
    driver = NetmikoDriver()
    made: list[Session] = []

    def make(**changes: Any) -> Session:
        fields = {"device_type": "cisco_ios", "host": device.host, "port": device.port, "timeout": 5}
        login = {"username": lab.username, "password": lab.password}
        connection = NetmikoConnection.model_validate(fields | login | changes)
        made.append(driver.session(driver.target(connection)))
        return made[-1]

    yield make  # type: ignore[misc]
    for session in made:
        session.close()
    lab.clear_faults(device)


@pytest.fixture
def opened(closed: Opener) -> Opener:
    """Make open sessions on `device`."""

    def make(**changes: Any) -> NetmikoSession:
        session = closed(**changes)
        session.open()
        return session

    return make


def ask(session: Session, *commands: str, args: NetmikoQuery = QUERY) -> list[Reply]:
    replies: list[Reply] = []
    session.run_commands(commands, args, replies.append)
    return replies


def change(session: NetmikoSession, *lines: str, args: NetmikoConfig = CONFIG) -> list[Reply]:
    replies: list[Reply] = []
    session.apply_config(Change(lines, args, NAME), replies.append)
    return replies


# ── queries ──


def test_commands_are_answered_in_order(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    version, clock = ask(session, "show version", "show clock")
    assert version.stdout.startswith("Cisco IOS Software")
    assert device.name + "#" not in version.stdout
    assert "UTC" in clock.stdout
    assert (clock.command, clock.verdict, clock.exit_status) == ("show clock", Verdict.DONE, 0)
    assert clock.started_at is not None
    assert clock.started_at.utcoffset() is not None
    assert 0 < clock.duration_s < 5
    assert session.prompt() == device.name + "#"
    assert session.alive()
    assert session.ping(2)
    assert lab.commands(device)[-2:] == ["show version", "show clock"]


def test_echo_and_prompt_stay_if_asked_for(opened: Opener, device: LabDevice) -> None:
    args = NetmikoQuery(strip_command=False, strip_prompt=False)
    (reply,) = ask(opened(), "show clock", args=args)
    lines = reply.stdout.split("\n")
    assert (lines[0], lines[-1]) == ("show clock", device.name + "#")


def test_the_others_run_after_a_refused_one(opened: Opener) -> None:
    session = opened()
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match="1 of 3 commands were refused, the first: show bogus"):
        session.run_commands(["show clock", "show bogus", "show version"], QUERY, replies.append)
    assert [reply.verdict for reply in replies] == [Verdict.DONE, Verdict.REFUSED, Verdict.DONE]
    assert replies[1].exit_status == 1
    assert "% Invalid input" in replies[1].stdout
    assert session.alive()


@pytest.mark.parametrize("gap_ms", [0, 1])
def test_the_prompt_within_an_output_does_not_cut_it(
    opened: Opener, lab: LabProcess, device: LabDevice, gap_ms: float
) -> None:
    session = opened()
    change(session, "interface GigabitEthernet0/1", f"description see {device.name}# and {device.name}")
    (whole,) = ask(session, "show running-config")
    lab.set_faults(device, OneByte(gap_ms=gap_ms, command="show running-config"))
    (crumbs,) = ask(session, "show running-config", args=NetmikoQuery(read_timeout=60))
    assert f"hostname {device.name}\n" in whole.stdout
    assert whole.stdout.rstrip().endswith("end")
    assert crumbs.stdout == whole.stdout


def test_a_big_output_arrives_whole(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    lab.set_faults(device, Huge(size_bytes=2_000_000, command="show version"))
    (reply,) = ask(session, "show version", args=NetmikoQuery(read_timeout=60))
    assert len(reply.stdout) >= 2_000_000
    lab.clear_faults(device)
    assert "UTC" in ask(session, "show clock")[0].stdout


def test_bytes_that_are_no_text_do_not_end_the_session(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    lab.set_faults(device, NonUtf8(command="show version", count=1))
    (reply,) = ask(session, "show version")
    assert "\ufffd" in reply.stdout
    assert "Cisco IOS Software" in reply.stdout
    assert ask(session, "show clock")[0].verdict is Verdict.DONE


def test_a_prompt_that_moves_is_followed_and_the_session_not_reused(
    opened: Opener, lab: LabProcess, device: LabDevice
) -> None:
    session = opened()
    lab.set_faults(device, PromptChange(prompt=f"{device.name}(standby)#", command="show clock", count=1))
    assert "UTC" in ask(session, "show clock")[0].stdout
    assert lab.commands(device).count("show clock") == 1
    assert not session.alive()


def test_a_session_left_in_another_mode_is_not_reused(opened: Opener) -> None:
    session = opened()
    ask(session, "configure terminal")
    assert not session.alive()


# ── questions ──


def test_a_question_is_never_answered(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    with pytest.raises(ReplyTimeout):
        ask(session, "reload", args=NetmikoQuery(read_timeout=1))
    assert not session.alive()
    session.close()
    lab.wait_sessions(device, 0)
    assert [entry for entry in lab.records(device) if entry.kind == "answer" and entry.ending == "done"] == []
    assert lab.stats(device).reloads == 0


@pytest.mark.parametrize("question", ["Sure? [confirm]", "Overwrite? [yes/no]: ", "Really [y/N]#? "])
def test_a_question_within_a_change_is_never_answered(
    opened: Opener, lab: LabProcess, device: LabDevice, question: str
) -> None:
    session = opened()
    lab.set_faults(device, Ask(command="no ip", question=question))
    replies: list[Reply] = []
    lines = ["ip domain lookup", "no ip domain lookup"]
    with pytest.raises(ReplyTimeout):
        session.apply_config(Change(lines, NetmikoConfig(read_timeout=1), NAME), replies.append)
    assert [reply.command for reply in replies] == ["ip domain lookup"]
    assert not session.alive()
    session.close()
    lab.wait_sessions(device, 0)
    assert "ip domain lookup" in lab.running_config(device)


def test_a_session_left_at_a_question_sends_nothing_more(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    (reply,) = ask(session, "reload", args=NetmikoQuery(expect_string="[confirm]"))
    assert reply.stdout.endswith("[confirm]")
    assert not session.alive()
    before = len(lab.records(device))
    with pytest.raises(Unreachable):
        ask(session, "show clock")
    assert len(lab.records(device)) == before
    assert lab.stats(device).reloads == 0


def test_late_output_is_not_the_next_commands(opened: Opener) -> None:
    session = opened()
    (early,) = ask(session, "show version", args=NetmikoQuery(expect_string="Cisco"))
    assert early.stdout.startswith("Cisco")
    (clock,) = ask(session, "show clock")
    assert clock.stdout.count("\n") == 0
    assert "UTC" in clock.stdout


# ── changes ──


def test_a_change_is_applied_line_by_line_and_saved(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    lines = ["interface GigabitEthernet0/1", "description uplink", "no shutdown"]
    replies = change(session, *lines, args=NetmikoConfig(save=True))
    assert [reply.command for reply in replies] == [*lines, "write mem"]
    assert {reply.verdict for reply in replies} == {Verdict.DONE}
    assert "[OK]" in replies[-1].stdout
    assert " description uplink" in (lab.startup_config(device) or [])
    assert session.prompt() == device.name + "#"
    assert "UTC" in ask(session, "show clock")[0].stdout


def test_it_stops_at_the_first_refused_line(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    replies: list[Reply] = []
    lines = ["interface GigabitEthernet0/1", "bogus", "description never"]
    with pytest.raises(CommandRejected, match="line 2 of 3"):
        session.apply_config(Change(lines, NetmikoConfig(save=True), NAME), replies.append)
    assert [reply.verdict for reply in replies] == [Verdict.DONE, Verdict.REFUSED, Verdict.SKIPPED]
    assert (replies[2].started_at, replies[2].exit_status, replies[2].duration_s) == (None, None, 0.0)
    assert " description never" not in lab.running_config(device)
    assert lab.commands(device)[-1] == "end"
    assert ask(session, "show clock")[0].verdict is Verdict.DONE


def test_a_new_hostname_is_learned(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    change(session, "interface GigabitEthernet0/1", "hostname EDGE-9", "interface GigabitEthernet0/2", "description x")
    assert session.prompt() == "EDGE-9#"
    assert session.alive()
    assert "UTC" in ask(session, "show clock")[0].stdout
    assert "hostname EDGE-9" in lab.running_config(device)


def test_the_users_own_pattern_refuses_too(opened: Opener) -> None:
    session = opened()
    with pytest.raises(CommandRejected, match="line 1 of 1"):
        change(session, "do show clock", args=NetmikoConfig(error_pattern="UTC"))


def test_a_lost_session_within_a_change_is_told(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    lab.set_faults(device, Drop(command="description", after_bytes=0))
    with pytest.raises(SessionLost):
        change(session, "interface GigabitEthernet0/1", "description x", "shutdown")
    assert not session.alive()


# ── privilege ──


def test_a_secret_is_used_for_queries(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened(username=OPERATOR.name, password=OPERATOR.password, secret=lab.secret)
    assert session.prompt() == device.name + ">"
    assert ask(session, "show running-config")[0].verdict is Verdict.DONE
    assert session.prompt() == device.name + "#"
    ask(session, "show clock", args=NetmikoQuery(enable_mode=False))
    assert session.prompt() == device.name + ">"
    assert session.alive()
    change(session, "ip domain lookup")
    assert session.prompt() == device.name + "#"
    assert session.alive()


def test_without_a_secret_queries_run_unprivileged(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened(username=OPERATOR.name, password=OPERATOR.password)
    ask(session, "show clock")
    assert "enable" not in lab.commands(device)


@pytest.mark.parametrize("secret", ["wrong", None])
def test_a_wrong_enable_password_is_an_authentication_failure(opened: Opener, secret: str | None) -> None:
    session = opened(username=OPERATOR.name, password=OPERATOR.password, secret=secret)
    with pytest.raises(AuthenticationFailed, match="enable password") as caught:
        ask(session, "show clock", args=NetmikoQuery(enable_mode=True))
    assert "wrong" not in str(caught.value)
    assert not session.alive()


def test_a_login_that_was_privileged_stays_so(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    ask(session, "show clock", args=NetmikoQuery(enable_mode=False))
    assert session.prompt() == device.name + "#"
    assert "disable" not in lab.commands(device)


# ── failures ──


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        (RefuseLogin(), AuthenticationFailed, "refused the login"),
        (RefuseConnect(), Unreachable, "refused the connection"),
        (Silent(), Unreachable, "no SSH banner"),
        (Drop(at="connect"), Unreachable, "^127.0.0.1:"),
        (Drop(at="connect", how="fin"), Unreachable, "^127.0.0.1:"),
        (Drop(at="login"), Unreachable, "closed the connection during the login"),
        (Drop(at="login", how="fin"), Unreachable, "closed the connection during the login"),
    ],
)
def test_logins_that_fail(
    closed: Opener, lab: LabProcess, device: LabDevice, fault: Fault, error: type[DriverError], said: str
) -> None:
    lab.set_faults(device, fault)
    session = closed(banner_timeout=0.3)
    before, threads = list(netmiko.log.filters), threading.active_count()
    with pytest.raises(error, match=said) as caught:
        session.open()
    assert lab.password not in str(caught.value)
    assert not session.alive()
    assert netmiko.log.filters == before
    until(lambda: threading.active_count() <= threads, "its threads ended", 2)
    assert lab.stats(device).logins_failed <= 1


def test_a_peer_that_dies_is_noticed_at_once(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    lab.set_faults(device, Drop(command="show version", after_bytes=30))
    began = time.monotonic()
    with pytest.raises(SessionLost):
        ask(session, "show version", args=NetmikoQuery(read_timeout=60))
    assert time.monotonic() - began < 10


def test_a_dead_session_sends_nothing(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    lab.restart(device)
    lab.wait_sessions(device, 0)
    with pytest.raises(Unreachable) as caught:
        ask(session, "show clock")
    assert caught.value.repeatable
    assert not session.ping(1)


def test_a_command_that_hangs_times_out(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    lab.set_faults(device, Stall(command="show version"))
    with pytest.raises(ReplyTimeout, match=r"within 0\.5 s"):
        ask(session, "show version", args=NetmikoQuery(read_timeout=0.5))
    assert not session.alive()


def test_abort_ends_a_command(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    lab.set_faults(device, Stall(command="show version"))
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(ask, session, "show version", args=NetmikoQuery(read_timeout=60))
        lab.wait_received(device, "show version")
        began = time.monotonic()
        session.abort()
        with pytest.raises(SessionAborted):
            running.result(10)
    assert time.monotonic() - began < 2  # measured: 1 to 3 ms
    assert not session.alive()


def test_abort_before_anything_else(closed: Opener) -> None:
    session = closed()
    session.abort()
    with pytest.raises(SessionAborted):
        session.open()


def test_a_slow_login_has_its_time(closed: Opener, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Slow(delay_ms=2000, at="login"))
    with pytest.raises(Unreachable):
        closed(auth_timeout=0.3).open()
    session = closed(auth_timeout=20)
    session.open()
    assert session.alive()


# ── the lease, and what is sent ──


def test_nothing_is_written_once_the_lease_is_lost(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    lines = iter([None, None, None])

    def guard() -> None:
        if next(lines, "lost") == "lost":
            raise LeaseLost("the lease is lost")

    session.guard = guard
    before = lab.commands(device)
    with pytest.raises(LeaseLost):
        ask(session, "show clock", "show version", "show users", "show inventory")
    assert lab.commands(device) == [*before, "show clock", "show version", "show users"]


@pytest.mark.parametrize("command", ["show clock\nreload", "show\x03", "a\tb", "show \u2028x"])
def test_control_characters_are_not_sent(opened: Opener, lab: LabProcess, device: LabDevice, command: str) -> None:
    session = opened()
    before = lab.commands(device)
    with pytest.raises(DriverError, match="control character"):
        ask(session, "show clock", command)
    with pytest.raises(DriverError, match="control character"):
        change(session, command)
    assert lab.commands(device) == before
    assert session.alive()


def test_what_the_encoding_lacks_is_not_sent(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened(encoding="ascii")
    before = lab.commands(device)
    with pytest.raises(DriverError, match="cannot be written in ascii"):
        ask(session, "show clock", "show é")
    assert lab.commands(device) == before


# ── life ──


def test_closing_says_nothing_and_leaves_nothing(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    before = list(netmiko.log.filters)
    session = opened()
    assert netmiko.log.filters == before
    said = lab.commands(device)
    transport = session._connection.remote_conn_pre.get_transport()  # type: ignore[union-attr]
    session.close()
    session.close()
    assert transport is not None
    assert not transport.is_alive()
    assert not session.alive()
    lab.wait_sessions(device, 0)
    assert lab.commands(device) == said


def test_an_idle_session_wakes_up_rarely(opened: Opener) -> None:
    """paramiko's thread polls at its socket's timeout, and the socket is ours."""
    session = opened()
    assert session._connection is not None
    assert isinstance(session._link.line, TcpLine)
    sock = session._link.line.sock
    assert sock is not None
    assert sock is session._connection.remote_conn_pre.get_transport().sock  # type: ignore[union-attr]
    assert sock.gettimeout() == 10
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


def test_many_threads_many_sessions(closed: Opener) -> None:
    """No wake-up is lost, and no output reaches another's command."""

    def work(number: int) -> int:
        session = closed()
        session.open()
        for _ in range(50):
            version, clock = ask(session, "show version", "show clock")
            assert version.stdout.startswith("Cisco")
            assert clock.stdout.count("\n") == 0
        return number

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(work, range(8))) == list(range(8))
