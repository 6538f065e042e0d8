"""VRP: views, the candidate, commits and commits on trial."""

import pytest

from drivers.lab.users import User
from drivers.lab.vrp.cli import Vrp
from tests.unit.lab.typist import Typist, at, minutes


def router() -> Vrp:
    """A router with minutes of 20 ms."""
    made = Vrp("R1", "")
    made.minute_ms = 20
    return made


def test_the_prompt_tells_the_view_and_whether_something_waits() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        assert ann.cli.prompt() == "<R1>"
        await ann("system-view")
        assert ann.cli.prompt() == "[~R1]"
        await ann.all("interface loopback 7", "description seven")
        assert ann.cli.prompt() == "[*R1-LoopBack7]"
        assert "interface LoopBack7" not in device.running.blocks
        await ann("commit")
        assert ann.cli.prompt() == "[~R1-LoopBack7]"
        assert device.running.blocks["interface LoopBack7"] == ["description seven"]
        await ann.all("sysname core", "commit", "return")
        assert ann.cli.prompt() == "<core>"

    at(device, use)


def test_what_is_not_committed_can_be_cleared_or_lost() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("system-view", "sysname core", "clear configuration candidate")
        assert ann.cli.prompt() == "[~R1]"
        await ann("sysname core")
        assert "Uncommitted configurations found" in await ann("return", "c\r")
        assert ann.cli.mode == "system"
        await ann("quit", "n\r")
        assert (ann.cli.mode, device.hostname) == ("user", "R1")
        await ann.all("system-view", "sysname core")
        await ann("return", "y\r")
        assert device.hostname == "core"

    at(device, use)


def test_undo() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all(
            "system-view", "interface GE1/0/1", "undo shutdown", "description x", "undo description", "commit"
        )
        assert device.running.blocks["interface GE1/0/1"] == []
        await ann.all("shutdown", "quit", "interface LoopBack1", "quit", "undo interface loopback1", "commit")
        assert device.running.blocks["interface GE1/0/1"] == ["shutdown"]
        assert "interface LoopBack1" not in device.running.blocks
        assert "cannot be deleted" in await ann("undo interface GE1/0/1")

    at(device, use)


def test_a_trial_ends_unless_there_is_another_commit() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("system-view", "sysname core", "commit trial 60")
        assert device.hostname == "core"
        await minutes(device, 1)
        assert device.hostname == "R1"
        await ann.all("clear configuration candidate", "sysname kept", "commit trial 60", "commit")
        await minutes(device, 1)
        assert (device.hostname, device.trial) == ("kept", None)
        await ann.all("sysname other", "commit trial 60", "abort trial")
        assert device.hostname == "kept"

    at(device, use)


def test_commits_can_be_taken_back() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("system-view", "sysname one", "commit", "sysname two", "commit", "return")
        assert "Succeeded" in await ann("rollback configuration last 2")
        assert device.hostname == "R1"
        assert "does not exist" in await ann("rollback configuration last 99")

    at(device, use)


def test_one_user_does_not_undo_anothers_commit() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        bob = Typist(device, User("bob", "x"))
        await ann.all("system-view", "sysname anns")
        await bob.all("system-view", "sysname bobs", "commit")
        assert "Failed to generate committed config" in await ann("commit")
        assert device.hostname == "bobs"

    at(device, use)


@pytest.mark.parametrize(
    ("line", "what", "column"),
    [("dispaly version", "Unrecognized", 4), ("display", "Incomplete", 6), ("system-view x", "Unrecognized", 12)],
)
def test_every_refusal_points(line: str, what: str, column: int) -> None:
    async def use(ann: Typist) -> None:
        pointer = " " * (len("<R1>") + column) + "^\n"
        assert await ann(line) == f"{pointer}Error: {what} command found at '^' position.\n"

    at(router(), use)


@pytest.mark.parametrize("line", ["interface GE9/0/0", "ip address 192.0.2.300 24", "mtu", "commit trial 5"])
def test_what_is_refused_changes_nothing(line: str) -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("system-view", "interface GE1/0/1")
        assert "Error:" in await ann(line)
        await ann("commit")
        assert device.running.blocks == Vrp("R1", "").running.blocks

    at(device, use)


def test_saving_asks() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("system-view", "sysname core", "commit", "return")
        await ann("save", "n\r")
        assert device.startup.value("sysname") == "R1"
        assert "Save the configuration successfully" in await ann("save", "y\r")
        device.restart()
        assert device.hostname == "core"

    at(device, use)


def test_a_monitor_may_only_look() -> None:
    async def use(bob: Typist) -> None:
        assert "Error: Unrecognized" in await bob("system-view")
        assert "Error: Unrecognized" in await bob("display current-configuration")
        assert "VRP" in await bob("display version | include VRP")

    at(router(), use, User("bob", "x", 1))
