"""Archive, comparison, replacement, and changes that go back unless they are confirmed."""

import asyncio

import pytest

from drivers.lab.ios import diffs, paths, replay
from drivers.lab.ios.cli import Ios
from drivers.lab.ios.config import Config
from tests.unit.lab.typist import ANN, Typist, at, minutes


def router(**files: str) -> Ios:
    """A router with these files on flash, and minutes of 20 ms."""
    made = Ios("R1", "secret")
    made.minute_ms = 20
    made.running.enter(None, "file prompt quiet", None)
    for name, text in files.items():
        made.flash.write(name, text.encode())
    return made


def full(device: Ios, *changes: tuple[str, str]) -> str:
    text = paths.text_of(device.running)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def test_what_a_router_saves_it_reads_back_unchanged() -> None:
    device = router()
    device.running.enter(None, "banner motd ^C\nkeep out!\nno end\n^C", "banner motd")
    device.running.enter(None, "enable secret 9 $9$abc", "enable secret")
    text = paths.text_of(device.running)
    assert Config.parse(text).blocks == device.running.blocks
    outcome = asyncio.run(replay.replaced(device, text.encode(), ANN))
    assert outcome.refused == []
    assert outcome.config.blocks == device.running.blocks


def test_a_replay_leaves_the_router_alone_and_cannot_leave_configuration() -> None:
    device = router()
    before = full(device)
    outcome = asyncio.run(replay.merged(device, b"hostname other\nend\nwrite erase\nreload\n", ANN))
    assert outcome.config.value("hostname") == "other"
    assert paths.text_of(device.running) == before
    assert device.startup is not None
    assert list(device.lines) == []


def test_the_archive_keeps_its_maximum_and_forgets_the_oldest() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("configure terminal", "archive", "maximum 2", "write-memory", "end")
        for _ in range(3):
            await ann("write memory")
        shown = await ann("show archive")
        assert "There are currently 2 archive configurations saved." in shown
        assert shown.rstrip().endswith("-3 <- Most Recent")
        assert [name for name in device.flash.files if name.startswith("archive-")] == [
            path.partition(":")[2] for path in device.archived
        ]
        await ann.all("configure terminal", "no archive", "end")
        assert await ann("show archive") == "Archive feature not enabled\n"

    at(device, use)


def test_differences_go_from_the_first_to_the_second() -> None:
    old = Config.parse("hostname R1\ninterface Loopback1\n description a\n shutdown\nip cef\n")
    new = Config.parse("hostname R2\ninterface Loopback1\n description b\n shutdown\nip cef\nvlan 2\n name x\n")
    lines = diffs.contextual(old, new).splitlines()
    assert lines[0] == "!Contextual Config Diffs:"
    at_interface = lines.index("interface Loopback1")
    assert lines[at_interface + 1 : at_interface + 3] == [" -description a", " +description b"]
    assert {"+hostname R2", "-hostname R1", "+vlan 2", " +name x"} <= set(lines)
    assert "!No changes were found" in diffs.contextual(old, old.copy())


@pytest.mark.parametrize(
    ("file", "listed"),
    [
        ("hostname R1\nntp server 192.0.2.1\n", ["ntp server 192.0.2.1"]),
        ("HOSTNAME r1\n", []),
        ("interface Loopback1\n description b\n shutdown\n", ["interface Loopback1", " description b"]),
        ("no ip cef\nno vlan 9\n", ["no ip cef"]),
    ],
)
def test_incremental_diffs_are_the_lines_that_matter(file: str, listed: list[str]) -> None:
    running = Config.parse("hostname R1\ninterface Loopback1\n description a\n shutdown\nip cef\n")
    shown = diffs.incremental(running, Config.parse(file), ignorecase=True).splitlines()
    assert shown[1 : 1 + len(listed)] == listed
    assert shown[1 + len(listed)] == "end"
    assert ("!No changes were found" in shown) == (not listed)


def test_replacing_makes_the_file_all_there_is() -> None:
    device = router()
    device.flash.write("new.txt", full(device, ("hostname R1", "hostname R9"), ("ip scp server enable\n", "")).encode())

    async def use(ann: Typist) -> None:
        shown = await ann("configure replace flash:new.txt list force")
        assert {"no ip scp server enable", "hostname R9"} <= set(shown.splitlines())
        assert "Total number of passes: 1\nRollback Done" in shown
        assert device.hostname == "R9"
        assert "ip scp server enable" not in device.running.blocks
        assert "Total number of passes: 0" in await ann("configure replace flash:new.txt force")

    at(device, use)


def test_replacing_asks_first_and_no_is_the_default() -> None:
    device = router()
    device.flash.write("new.txt", full(device, ("hostname R1", "hostname R9")).encode())

    async def use(ann: Typist) -> None:
        assert "sure you want to proceed" in await ann("configure replace flash:new.txt", "\r")
        assert device.hostname == "R1"
        await ann("configure replace flash:new.txt", "Y\r")
        assert device.hostname == "R9"

    at(device, use)


@pytest.mark.parametrize(("trigger", "hostname"), [(" revert trigger error", "R1"), ("", "R9")])
def test_a_file_with_a_bad_line_goes_back_only_where_that_was_asked_for(trigger: str, hostname: str) -> None:
    device = router()
    device.flash.write("bad.txt", full(device, ("hostname R1", "hostname R9\nfrobnicate 1")).encode())

    async def use(ann: Typist) -> None:
        shown = await ann(f"configure replace flash:bad.txt force{trigger}")
        assert "########\nfrobnicate 1\n########" in shown
        assert ("original configuration has been successfully restored" in shown) == bool(trigger)
        assert device.hostname == hostname

    at(device, use)


@pytest.mark.parametrize(
    "line", ["configure replace flash:old-config.txt force revert trigger error", "configure terminal revert timer 5"]
)
def test_going_back_needs_the_archive(line: str) -> None:
    device = router()
    device.running.remove(None, "archive")

    async def use(ann: Typist) -> None:
        assert "%Please turn config archive on" in await ann(line)
        assert ann.cli.mode == "exec"
        assert device.hostname == "R1"

    at(device, use)


def test_an_unconfirmed_change_goes_back_when_its_time_is_over() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        assert "Rollback will begin in 2 minutes." in await ann("configure terminal revert timer 2")
        await ann.all("hostname changed", "end")
        shown = await ann("show archive config rollback timer")
        assert "Timer type: absolute timer\nTimer value: 2 min\nUser: ann\n" in shown
        assert device.hostname == "changed"
        await minutes(device, 2)
        assert device.hostname == "R1"
        assert "%No Rollback Confirmed Change pending" in await ann("show archive config rollback timer")

    at(device, use)


def test_a_confirmed_change_stays() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("configure terminal revert timer 1", "hostname changed", "end", "configure confirm")
        await minutes(device, 1)
        assert device.hostname == "changed"
        assert "%No Rollback Confirmed Change pending" in await ann("configure confirm")

    at(device, use)


def test_a_change_can_go_back_at_once_or_with_a_restart() -> None:
    device = router()
    device.minute_ms = 60_000

    async def use(ann: Typist) -> None:
        await ann.all("configure terminal revert timer 1", "hostname changed", "end")
        assert "already pending" in await ann("configure terminal revert timer 1")
        assert "Rollback Done" in await ann("configure revert now")
        assert (device.hostname, device.pending) == ("R1", None)
        await ann.all("configure terminal revert timer idle 1", "hostname changed", "end")
        assert "idle timer" in await ann("show archive config rollback timer")
        device.restart()
        assert (device.hostname, device.pending) == ("R1", None)

    at(device, use)


def test_a_timed_replacement_goes_back() -> None:
    device = router()
    device.flash.write("new.txt", full(device, ("hostname R1", "hostname R9")).encode())

    async def use(ann: Typist) -> None:
        await ann("configure replace flash:new.txt force revert trigger error timer 1")
        assert device.hostname == "R9"
        await minutes(device, 1)
        assert device.hostname == "R1"

    at(device, use)
