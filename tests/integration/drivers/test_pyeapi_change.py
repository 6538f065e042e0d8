"""Changes on simulated EOS switches: shown, made, refused, taken back, confirmed."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from drivers.base import Change, Reply, Verdict
from drivers.errors import CommandRejected, DriverError, LeaseLost, ReplyTimeout, SessionLost
from drivers.lab import Drop, LabDevice, LabProcess, RefuseLogin, Slow, Stall
from drivers.pyeapi import PyeapiConfig, PyeapiConnection, PyeapiDriver, PyeapiQuery, PyeapiSession
from tests.waiting import until

NAME = "np0123456789ab"
LINES = ("interface Ethernet2", "   description to the lab", "!", "interface Ethernet4", "   mtu 9000")
DONE, REFUSED, SKIPPED = Verdict.DONE, Verdict.REFUSED, Verdict.SKIPPED
Opener = Callable[[], PyeapiSession]


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(devices=40, persona="eos", reload_ms=50) as lab:
        yield lab


@pytest.fixture(scope="module")
def devices(lab: LabProcess) -> Iterator[LabDevice]:
    return iter(lab.devices)


@pytest.fixture
def device(devices: Iterator[LabDevice]) -> LabDevice:
    """A switch that no other test has touched."""
    return next(devices)


@pytest.fixture
def opened(lab: LabProcess, device: LabDevice) -> Iterator[Opener]:
    """Make open sessions on `device`; closed after the test."""
    driver = PyeapiDriver()
    made: list[PyeapiSession] = []

    def make() -> PyeapiSession:
        fields = {"host": device.host, "port": device.https_port, "ca": lab.eapi_ca, "timeout": 5}
        login = {"username": lab.username, "password": lab.password}
        session = driver.session(driver.target(PyeapiConnection.model_validate(fields | login)))
        assert isinstance(session, PyeapiSession)
        made.append(session)
        session.open()
        return session

    yield make
    for session in made:
        session.close()


@pytest.fixture
def session(opened: Opener) -> PyeapiSession:
    return opened()


def change(*lines: str, name: str = NAME, undoable: bool = False, **args: Any) -> Change:
    return Change(lines, PyeapiConfig.model_validate({"read_timeout": 5} | args), name, undoable)


def apply(session: PyeapiSession, change: Change) -> tuple[str | None, list[Reply]]:
    replies: list[Reply] = []
    return session.apply_config(change, replies.append), replies


def rejected(session: PyeapiSession, change: Change, said: str) -> list[Reply]:
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match=said):
        session.apply_config(change, replies.append)
    return replies


def verdicts(replies: Sequence[Reply]) -> list[Verdict]:
    return [reply.verdict for reply in replies]


def left_on(session: PyeapiSession) -> tuple[list[str], str]:
    """Unfinished configuration sessions, and the files."""
    replies: list[Reply] = []
    session.run_commands(["show configuration sessions", "dir"], PyeapiQuery(), replies.append)
    sessions = replies[0].parsed["sessions"]
    return [name for name, found in sessions.items() if found["state"] != "completed"], replies[1].stdout


def assert_clean(session: PyeapiSession) -> None:
    pending, files = left_on(session)
    assert pending == []
    assert NAME not in files


# ── making ──


def test_a_change_is_made_and_told(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    difference, replies = apply(session, change(*LINES))
    assert difference is not None
    assert "+   description to the lab" in difference.splitlines()
    assert [reply.command for reply in replies] == [*LINES, f"configure session {NAME} commit"]
    assert set(verdicts(replies)) == {DONE}
    assert "   description to the lab" in lab.running_config(device)
    assert "   description to the lab" not in (lab.startup_config(device) or [])
    assert_clean(session)


def test_it_is_saved_if_asked_for(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    _, replies = apply(session, change(*LINES, save=True))
    assert replies[-1].command == "write memory"
    assert lab.startup_config(device) == lab.running_config(device)


def test_a_dry_run_changes_nothing(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    before = lab.running_config(device)
    difference, replies = apply(session, change(*LINES, dry_run=True, save=True, undoable=True))
    assert difference is not None
    assert "+   description to the lab" in difference
    assert verdicts(replies) == [DONE] * len(LINES)
    assert lab.running_config(device) == before
    assert_clean(session)


def test_the_lines_replace_everything_if_asked_for(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    whole = [*lab.running_config(device)]
    apply(session, change(*LINES))
    difference, _ = apply(session, change(*whole, name="np000000000001", replace=True))
    assert difference is not None
    assert "-   description to the lab" in difference
    assert lab.running_config(device) == whole


def test_a_banner_keeps_its_lines(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    lines = ("banner motd", "Keep out.", "commit", "EOF", "hostname sw9")
    _, replies = apply(session, change(*lines))
    assert [reply.command for reply in replies[:-1]] == [*lines]
    running = lab.running_config(device)
    assert {"Keep out.", "commit", "hostname sw9"} <= set(running)


def test_one_change_after_another(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    for number in range(7):  # more than the device has room for, were any left behind
        apply(session, change("interface Ethernet2", f"   description {number}", name=f"np00000000000{number}"))
    assert "   description 6" in lab.running_config(device)
    assert lab.stats(device).connections == 1


# ── refusing ──


def test_a_refused_line_leaves_nothing_in_force(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    before = lab.running_config(device)
    asked = change("interface Ethernet2", "   description x", "   nonsense", "   mtu 9000", undoable=True)
    replies = rejected(session, asked, "line 3 of 4 was refused; none of the lines is in force")
    assert verdicts(replies) == [DONE, DONE, DONE, REFUSED, SKIPPED]  # the first is the copy of before
    assert "Invalid input" in replies[3].stdout
    assert replies[4].started_at is None
    assert lab.running_config(device) == before
    assert_clean(session)
    session.undo(asked, replies.append)  # there is nothing to undo, which is fine
    assert len(replies) == 5
    assert session.alive()


def test_a_refused_banner_takes_its_text_with_it(session: PyeapiSession) -> None:
    replies = rejected(session, change("interface Ethernet2", "nonsense", "banner motd", "x", "EOF"), "line 2 of 5")
    assert verdicts(replies) == [DONE, REFUSED, SKIPPED, SKIPPED, SKIPPED]


def test_a_line_that_reaches_past_the_session(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    with pytest.raises(DriverError, match="line 2 is no configuration"):
        apply(session, change("hostname x", "write memory", dry_run=True))
    assert lab.commands(device) == ["show hostname"]


def test_no_room_for_another_session(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session, other = opened(), opened()
    for number in range(5):
        other.transport.execute(["enable", f"configure session full-{number}"])
    replies = rejected(session, change(*LINES, undoable=True), "opened no configuration session")
    assert verdicts(replies) == [DONE, REFUSED, *[SKIPPED] * len(LINES)]
    assert NAME not in left_on(session)[1]


def test_a_lost_lease_stops_before_the_commit(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    before, replies = lab.running_config(device), []

    def hear(reply: Reply) -> None:
        replies.append(reply)
        session.guard = forbid

    def forbid() -> None:
        raise LeaseLost("no")

    with pytest.raises(LeaseLost):
        session.apply_config(change(*LINES), hear)
    assert lab.running_config(device) == before
    assert not [line for line in lab.commands(device) if line.endswith(("commit", "abort", "diffs"))]


# ── breaking off ──


@pytest.mark.parametrize("fault", [Drop(command="mtu"), Stall(command="mtu")], ids=["drop", "stall"])
def test_what_breaks_off_before_the_commit_is_dropped(
    opened: Opener, lab: LabProcess, device: LabDevice, fault: Drop | Stall
) -> None:
    before = lab.running_config(device)
    lab.set_faults(device, fault)
    with pytest.raises((SessionLost, ReplyTimeout)):
        apply(opened(), change(*LINES, undoable=True, read_timeout=0.4))
    lab.clear_faults(device)
    assert lab.running_config(device) == before
    assert_clean(opened())


def test_a_commit_without_an_answer_can_be_undone(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    before = lab.running_config(device)
    lab.set_faults(device, Drop(command=f"configure session {NAME} commit"))
    asked = change(*LINES, undoable=True)
    with pytest.raises(SessionLost):
        apply(opened(), asked)
    assert "   description to the lab" in lab.running_config(device)  # it did arrive
    opened().undo(asked, lambda _: None)
    assert lab.running_config(device) == before
    assert_clean(opened())


def test_a_login_that_ends_with_the_change_does_not_hide_it(
    session: PyeapiSession, lab: LabProcess, device: LabDevice
) -> None:
    def refuse_once_it_is_made(reply: Reply) -> None:
        if reply.command.endswith(" commit"):
            lab.set_faults(device, RefuseLogin())
            session.transport.close()  # the next request logs in again

    with pytest.raises(SessionLost, match="the change was applied"):
        session.apply_config(change(*LINES, save=True), refuse_once_it_is_made)
    assert LINES[1] in lab.running_config(device)


def test_a_slow_device_has_the_time_that_it_is_given(
    session: PyeapiSession, lab: LabProcess, device: LabDevice
) -> None:
    lab.set_faults(device, Slow(command="mtu", delay_ms=100))
    _, replies = apply(session, change(*LINES))
    assert sum(reply.duration_s for reply in replies[:-1]) >= 0.09


# ── undoing ──


def test_a_change_is_undone_from_another_login(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    before = lab.running_config(device)
    asked = change(*LINES, "no interface Ethernet1", undoable=True, save=True)
    apply(opened(), asked)
    replies: list[Reply] = []
    session = opened()
    session.undo(asked, replies.append)
    assert [reply.command for reply in replies] == [f"configure replace flash:{NAME}.cfg", "write memory"]
    assert lab.running_config(device) == lab.startup_config(device) == before
    assert_clean(session)


def test_what_is_kept_leaves_no_file(session: PyeapiSession, lab: LabProcess, device: LabDevice) -> None:
    asked = change(*LINES, undoable=True)
    apply(session, asked)
    assert NAME in left_on(session)[1]
    session.keep(asked, lambda _: None)
    assert "   description to the lab" in lab.running_config(device)
    assert_clean(session)


def test_nothing_to_undo_with_is_not_success(session: PyeapiSession) -> None:
    with pytest.raises(CommandRejected, match="configure replace"):
        session.undo(change(*LINES, undoable=True), lambda _: None)
    assert session.alive()


# ── confirming ──


def test_an_unconfirmed_change_reverts(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    before = lab.running_config(device)
    session, asked = opened(), change(*LINES, revert_in=1, save=True)
    began = time.monotonic()
    _, replies = apply(session, asked)
    assert replies[-1].command == f"configure session {NAME} commit timer 00:00:01"
    assert lab.running_config(device) != before
    until(lambda: lab.running_config(device) == before, "the change is undone by the device")
    assert time.monotonic() - began > 0.9
    with pytest.raises(CommandRejected, match="waits for a confirmation"):
        session.confirm(change(save=True), lambda _: None)


def test_a_confirmed_change_stays(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    asked = change(*LINES, revert_in=3600, save=True)
    _, replies = apply(opened(), asked)
    assert replies[-1].command == f"configure session {NAME} commit timer 01:00:00"
    assert "   description to the lab" not in (lab.startup_config(device) or [])
    confirmed: list[Reply] = []
    session = opened()
    session.confirm(change(revert_in=3600, save=True), confirmed.append)
    assert [reply.command for reply in confirmed] == [f"configure session {NAME} commit", "write memory"]
    assert "   description to the lab" in (lab.startup_config(device) or [])
    assert_clean(session)


def test_a_waiting_change_is_undone_at_once(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    before = lab.running_config(device)
    asked = change(*LINES, revert_in=3600, undoable=True)
    apply(opened(), asked)
    replies: list[Reply] = []
    session = opened()
    session.undo(asked, replies.append)
    assert [reply.command for reply in replies] == [f"configure session {NAME} abort"]
    assert lab.running_config(device) == before
    assert_clean(session)


def test_no_change_goes_on_top_of_one_that_waits(opened: Opener, lab: LabProcess, device: LabDevice) -> None:
    session = opened()
    apply(session, change(*LINES, revert_in=3600))
    replies = rejected(session, change("hostname x", name="np000000000002"), "another change waits")
    assert verdicts(replies) == [SKIPPED]
    assert apply(session, change("hostname x", name="np000000000002", dry_run=True))[0]
