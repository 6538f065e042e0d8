"""Safe changes by netmiko: differences, dry runs, timed and undone changes, on each simulated platform."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from drivers.base import Change, Reply, Session, Verdict
from drivers.errors import CommandRejected
from drivers.lab import LabProcess
from drivers.netmiko import NetmikoConfig, NetmikoConnection, NetmikoDriver
from drivers.netmiko.session import NetmikoSession
from tests.waiting import until

NAME = "np0123456789ab"
TYPES = {"eos": "arista_eos", "vrp": "huawei_vrpv8", "ios": "cisco_ios", "junos": "juniper_junos", "nxos": "cisco_nxos"}
MINUTE_MS = 600
"""Of the labs that let a timed change run out."""


@pytest.fixture(scope="module")
def labs() -> Iterator[Callable[..., LabProcess]]:
    """Start labs, one for each kind of device."""
    running: dict[tuple[str, ...], LabProcess] = {}
    with ExitStack() as stack:

        def start(*options: str) -> LabProcess:
            if options not in running:
                running[options] = stack.enter_context(LabProcess(devices=20, options=options))
            return running[options]

        yield start


class Device:
    """A simulated device that no other test has touched, and sessions on it."""

    def __init__(self, lab: LabProcess, number: int, device_type: str) -> None:
        self.lab, self.device, self.device_type = lab, lab.devices[number], device_type
        self.sessions: list[Session] = []

    def session(self) -> NetmikoSession:
        fields = {"device_type": self.device_type, "host": self.device.host, "port": self.device.port, "timeout": 5}
        login = {"username": self.lab.username, "password": self.lab.password}
        driver = NetmikoDriver()
        session = driver.session(driver.target(NetmikoConnection.model_validate(fields | login)))
        assert isinstance(session, NetmikoSession)
        self.sessions.append(session)
        session.open()
        return session

    @property
    def running(self) -> str:
        return "\n".join(self.lab.running_config(self.device))

    @property
    def startup(self) -> str:
        return "\n".join(self.lab.startup_config(self.device) or [])

    def commands(self) -> list[str]:
        return self.lab.commands(self.device)


Place = Callable[..., Device]


@pytest.fixture(scope="module")
def used() -> dict[str, int]:
    return {}


@pytest.fixture
def place(labs: Callable[..., LabProcess], used: dict[str, int]) -> Iterator[Place]:
    made: list[Device] = []

    def make(persona: str, *, minute_ms: float | None = None, device_type: str | None = None) -> Device:
        options = [f"--persona={persona}"] + [f"--minute-ms={minute_ms}"] * (minute_ms is not None)
        number = used[" ".join(options)] = used.get(" ".join(options), -1) + 1
        made.append(Device(labs(*options), number, device_type or TYPES[persona]))
        return made[-1]

    yield make
    for device in made:
        for session in device.sessions:
            session.close()


def change(*lines: str, undoable: bool = False, **args: Any) -> Change:
    return Change(lines, NetmikoConfig(read_timeout=5, **args), NAME, undoable)


def apply(session: NetmikoSession, wanted: Change) -> tuple[str | None, list[Reply]]:
    replies: list[Reply] = []
    return session.apply_config(wanted, replies.append), replies


def ignore(_: Reply) -> None:
    pass


LINES = {
    "eos": ("interface Ethernet1", "description changed"),
    "vrp": ("interface GE1/0/1", "description changed"),
    "ios": ("interface GigabitEthernet0/1", "description changed"),
    "junos": ("set interfaces ge-0/0/0 description changed",),
    "nxos": ("interface Ethernet1/1", "description changed"),
}
BAD = {persona: (*lines, "bogus nonsense", "never sent") for persona, lines in LINES.items()}
CANDIDATES = ["eos", "junos", "vrp"]
TIMED = ["eos", "ios", "junos"]
UNDOABLE = ["eos", "ios", "junos", "nxos"]


# ── undo, keep ──


@pytest.mark.parametrize("persona", UNDOABLE)
def test_an_undoable_change_tells_its_difference_and_is_undone_elsewhere(place: Place, persona: str) -> None:
    device = place(persona)
    before, session = device.running, device.session()
    wanted = change(*LINES[persona], undoable=True)
    difference, replies = apply(session, wanted)
    assert "changed" in (difference or "")
    assert "description changed" in device.running.replace('"', "")
    assert {reply.verdict for reply in replies} == {Verdict.DONE}
    assert set(LINES[persona]) <= {reply.command for reply in replies}
    session.close()
    other = device.session()
    other.undo(change(undoable=True), ignore)
    assert device.running == before
    assert other.alive()
    assert other.prompt() == session.prompt()


@pytest.mark.parametrize("persona", UNDOABLE)
def test_a_change_refused_half_way_is_undone_as_well(place: Place, persona: str) -> None:
    device = place(persona)
    before, session = device.running, device.session()
    apply(session, change(*(line.replace("changed", "earlier") for line in LINES[persona])))
    earlier = device.running
    assert earlier != before
    wanted = change(*BAD[persona], undoable=True)
    with pytest.raises(CommandRejected, match=rf"line {len(LINES[persona]) + 1} of"):
        session.apply_config(wanted, ignore)
    assert session.alive()
    session.undo(wanted, ignore)
    assert device.running == earlier
    assert "never sent" not in device.commands()


@pytest.mark.parametrize("persona", UNDOABLE)
def test_a_change_that_is_kept_leaves_nothing_behind_and_is_saved_then(place: Place, persona: str) -> None:
    device = place(persona)
    session, saves = device.session(), persona != "junos"
    wanted = change(*LINES[persona], undoable=True, save=saves)
    apply(session, wanted)
    assert not saves or "changed" not in device.startup
    session.keep(wanted, ignore)
    assert "changed" in device.startup
    if persona != "junos":  # which numbers its commits itself
        with pytest.raises(CommandRejected, match="did not go back"):
            session.undo(wanted, ignore)


def test_what_was_not_taken_beforehand_cannot_be_undone(place: Place) -> None:
    device = place("ios")
    session = device.session()
    apply(session, change(*LINES["ios"]))
    with pytest.raises(CommandRejected, match="not made to be undoable"):
        session.undo(change(), ignore)
    assert session.alive()


def test_without_a_copy_no_line_is_sent(place: Place) -> None:
    device = place("nxos")
    session, wanted = device.session(), change(*LINES["nxos"], undoable=True)
    apply(session, wanted)
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match="made no checkpoint"):  # one of that name is there already
        session.apply_config(wanted, replies.append)
    assert [reply.verdict for reply in replies] == [Verdict.REFUSED, Verdict.SKIPPED, Verdict.SKIPPED]
    assert session.alive()


@pytest.mark.parametrize("persona", ["ios", "nxos"])
def test_where_no_line_was_sent_there_is_nothing_to_undo(place: Place, persona: str) -> None:
    device = place(persona)
    session, wanted = device.session(), change(*LINES[persona], undoable=True, replace=True)
    with pytest.raises(CommandRejected, match="no line was sent"):
        session.apply_config(wanted, ignore)
    session.undo(wanted, ignore)
    assert not [command for command in device.commands() if command.startswith(("rollback ", "configure "))]


def test_a_copy_of_an_earlier_attempt_stays(place: Place) -> None:
    device = place("ios")
    before, session = device.running, device.session()
    wanted = change(*LINES["ios"], undoable=True)
    apply(session, wanted)
    apply(session, wanted)
    session.undo(wanted, ignore)
    assert device.running == before


# ── dry runs and checks ──


@pytest.mark.parametrize("persona", CANDIDATES)
def test_a_dry_run_tells_the_difference_and_changes_nothing(place: Place, persona: str) -> None:
    device = place(persona)
    before, session = device.running, device.session()
    difference, _ = apply(session, change(*LINES[persona], dry_run=True))
    assert "changed" in (difference or "")
    assert device.running == before
    assert session.alive()
    again, _ = apply(session, change(*LINES[persona], dry_run=True))
    assert again == difference
    if persona != "vrp":  # which shows the whole candidate
        apply(session, change(*LINES[persona]))
        assert apply(session, change(*LINES[persona], dry_run=True))[0] == ""


@pytest.mark.parametrize("args", [{"dry_run": True}, {"replace": True}, {"check": True}, {"comment": "x"}])
def test_what_a_platform_lacks_is_refused_before_the_first_line(place: Place, args: dict[str, Any]) -> None:
    device = place("ios")
    session, before = device.session(), device.commands()
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match="no line was sent"):
        session.apply_config(change(*LINES["ios"], **args), replies.append)
    assert {reply.verdict for reply in replies} == {Verdict.SKIPPED}
    assert set(device.commands()[len(before) :]) <= {"", "enable"}


def test_junos_checks_and_comments(place: Place) -> None:
    device = place("junos")
    before, session = device.running, device.session()
    _, replies = apply(session, change(*LINES["junos"], check=True))
    assert "configuration check succeeds" in "".join(reply.stdout for reply in replies)
    assert device.running == before
    _, replies = apply(session, change(*LINES["junos"], comment="window 12"))
    assert 'commit comment "window 12"' in [reply.command for reply in replies]


def test_vrp_comments(place: Place) -> None:
    _, replies = apply(place("vrp").session(), change(*LINES["vrp"], comment="window 12"))
    assert 'commit comment "window 12"' in [reply.command for reply in replies]


def test_eos_replaces_the_whole_configuration(place: Place) -> None:
    device = place("eos")
    before, session = device.running, device.session()
    assert "Ethernet1" in before
    wanted = change("hostname alone", "vlan 77", replace=True, undoable=True)
    difference, _ = apply(session, wanted)
    assert "+vlan 77" in (difference or "")
    assert "hostname alone" in device.running
    session.undo(wanted, ignore)
    assert device.running == before


def test_a_way_of_ones_own_into_configuration_is_plain(place: Place) -> None:
    device = place("eos")
    session = device.session()
    own: dict[str, Any] = {"config_mode_command": "configure terminal"}
    apply(session, change(*LINES["eos"], **own))
    assert "changed" in device.running
    assert not [command for command in device.commands() if "session" in command]
    with pytest.raises(CommandRejected, match="dry_run"):
        apply(session, change(*LINES["eos"], dry_run=True, **own))
    assert session.alive()


def test_a_refused_commit_drops_the_candidate(place: Place) -> None:
    device = place("junos")
    before, session = device.running, device.session()
    with pytest.raises(CommandRejected, match="refused to commit"):
        apply(session, change("delete system root-authentication"))
    assert device.running == before
    assert session.alive()
    assert "changed" in (apply(session, change(*LINES["junos"]))[0] or "")


def test_a_configuration_session_can_be_left_behind(place: Place) -> None:
    device = place("eos")
    before, session = device.running, device.session()
    apply(session, change(*LINES["eos"], commit=False))
    assert device.running == before
    assert session.alive()
    apply(session, change(*LINES["eos"][:1]))  # the session of that name goes on
    assert "changed" in device.running


def test_a_configuration_session_of_a_job_that_was_cut_off_is_dropped(place: Place) -> None:
    device = place("eos")
    before, session = device.running, device.session()
    apply(session, change(*LINES["eos"], commit=False))
    session.undo(change(), ignore)
    assert device.running == before
    with pytest.raises(CommandRejected, match="not made to be undoable"):
        session.undo(change(), ignore)


def test_a_candidate_can_be_left_behind(place: Place) -> None:
    device = place("junos")
    before, session = device.running, device.session()
    apply(session, change(*LINES["junos"], commit=False))
    assert device.running == before
    with pytest.raises(CommandRejected, match="did not enter configuration mode"):
        apply(device.session(), change(*LINES["junos"]))  # not ours to commit


def test_a_commit_that_is_not_the_last_is_not_undone(place: Place) -> None:
    device = place("junos")
    session, wanted = device.session(), change(*LINES["junos"], undoable=True)
    apply(session, wanted)
    apply(session, change("set system host-name newer"))
    with pytest.raises(CommandRejected, match="another change was committed after"):
        session.undo(wanted, ignore)


# ── timed ──


def archive(session: NetmikoSession, persona: str) -> None:
    if persona == "ios":
        apply(session, change("archive", "path flash:archive"))


@pytest.mark.parametrize("timed", [{}, {"revert_in": 60}], ids=["plain", "timed"])
@pytest.mark.parametrize("persona", TIMED)
def test_no_change_goes_on_top_of_one_that_waits(place: Place, persona: str, timed: dict[str, int]) -> None:
    device = place(persona)
    session = device.session()
    archive(session, persona)
    apply(session, change(*LINES[persona], revert_in=600))
    waiting, replies = device.running, list[Reply]()
    lines = tuple(line.replace("changed", "other") for line in LINES[persona])
    other = Change(lines, NetmikoConfig(read_timeout=5, **timed), "npfedcba987654", undoable=True)
    with pytest.raises(CommandRejected, match="another change waits"):
        session.apply_config(other, replies.append)
    assert {reply.verdict for reply in replies} == {Verdict.SKIPPED}
    session.undo(other, ignore)  # of which nothing came into force
    assert device.running == waiting
    session.confirm(change(revert_in=600), ignore)


@pytest.mark.parametrize("persona", TIMED)
def test_a_timed_change_runs_out(place: Place, persona: str) -> None:
    device = place(persona, minute_ms=MINUTE_MS)
    session = device.session()
    archive(session, persona)
    before = device.running
    apply(session, change(*LINES[persona], revert_in=1))
    assert device.running != before
    until(lambda: device.running == before, "the change is reverted")
    with pytest.raises(CommandRejected, match="no change waits"):
        session.confirm(change(revert_in=1), ignore)
    if persona != "junos":  # where the reverting is a commit of its own
        with pytest.raises(CommandRejected, match="reverted already"):
            session.undo(change(revert_in=1), ignore)
    assert session.alive()


@pytest.mark.parametrize("persona", TIMED)
def test_a_timed_change_is_confirmed_elsewhere(place: Place, persona: str) -> None:
    device = place(persona)
    session = device.session()
    archive(session, persona)
    apply(session, change(*LINES[persona], revert_in=60))
    session.close()
    other = device.session()
    other.confirm(change(revert_in=60), ignore)
    assert "changed" in device.running
    with pytest.raises(CommandRejected, match="no change waits"):
        other.confirm(change(revert_in=60), ignore)


@pytest.mark.parametrize("persona", TIMED)
@pytest.mark.parametrize("undoable", [True, False])
def test_a_timed_change_is_undone_at_once(place: Place, persona: str, undoable: bool) -> None:
    device = place(persona)
    session = device.session()
    archive(session, persona)
    before = device.running
    wanted = change(*LINES[persona], revert_in=3600, undoable=undoable)
    apply(session, wanted)
    session.undo(wanted, ignore)
    assert device.running == before
    assert session.alive()


@pytest.mark.parametrize("persona", TIMED)
def test_a_timed_change_that_is_refused_waits_for_nothing(place: Place, persona: str) -> None:
    device = place(persona)
    session = device.session()
    archive(session, persona)
    before = device.running
    with pytest.raises(CommandRejected, match="was refused"):
        apply(session, change(*BAD[persona], revert_in=3600))
    assert device.running == before
    with pytest.raises(CommandRejected, match="no change waits"):
        session.confirm(change(revert_in=3600), ignore)


@pytest.mark.parametrize(("seconds", "said"), [(60, "needs `archive`"), (7201, "after 120 minutes at most")])
def test_ios_needs_an_archive_for_a_timed_change(place: Place, seconds: int, said: str) -> None:
    device = place("ios")
    session = device.session()
    apply(session, change("no archive"))
    before = device.running
    with pytest.raises(CommandRejected, match=said):
        apply(session, change(*LINES["ios"], revert_in=seconds))
    assert device.running == before
    assert session.alive()


def test_a_new_hostname_is_learned_and_unlearned(place: Place) -> None:
    lines = {"ios": "hostname other", "eos": "hostname other", "junos": "set system host-name other"}
    for persona, line in lines.items():
        device = place(persona)
        session, wanted = device.session(), change(line, undoable=True)
        old = session.prompt()
        apply(session, wanted)
        assert "other" in session.prompt()
        session.undo(wanted, ignore)
        assert session.prompt() == old
        assert session.alive()
