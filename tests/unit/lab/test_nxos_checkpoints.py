"""NX-OS: checkpoints, rollback, and its way of refusing."""

import pytest

from drivers.lab.nxos.cli import Nxos
from drivers.lab.nxos.switch import MOST_CHECKPOINTS
from drivers.lab.users import User
from tests.unit.lab.typist import Typist, at


def switch() -> Nxos:
    return Nxos("R1", "")


def test_a_rollback_makes_the_checkpoint_what_is_running() -> None:
    device = switch()

    async def use(ann: Typist) -> None:
        assert await ann("checkpoint before") == "Done\n"
        await ann.all(
            "configure terminal", "hostname core", "feature bgp", "interface Ethernet1/1", "description x", "end"
        )
        patch = await ann("show diff rollback-patch checkpoint before running-config")
        assert {"hostname core", "feature bgp", "interface Ethernet1/1", " description x"} <= set(patch.splitlines())
        back = await ann("show diff rollback-patch running-config checkpoint before")
        assert {"hostname R1", "no feature bgp", " no description x"} <= set(back.splitlines())
        assert "Rollback completed successfully." in await ann("rollback running-config checkpoint before atomic")
        assert device.running.blocks == switch().running.blocks
        assert "Rollback Patch is Empty" in await ann("rollback running-config checkpoint before")

    at(device, use)


def test_checkpoints_have_names_and_are_bounded() -> None:
    async def use(ann: Typist) -> None:
        await ann("checkpoint one")
        assert "already exists" in await ann("checkpoint one")
        assert "user-checkpoint-1 created Successfully" in await ann("checkpoint")
        assert "1) one:" in await ann("show checkpoint summary")
        assert "hostname R1" in await ann("show checkpoint one")
        for number in range(MOST_CHECKPOINTS - 2):
            assert await ann(f"checkpoint n{number}") == "Done\n"
        assert "maximum" in await ann("checkpoint more")
        assert await ann("no checkpoint one") == "Done\n"
        for line in ("no checkpoint one", "rollback running-config checkpoint one", "show checkpoint one"):
            assert "ERROR: Checkpoint one does not exist" in await ann(line)

    at(switch(), use)


@pytest.mark.parametrize(
    ("line", "what", "column"),
    [("shwo version", "Invalid", 2), ("show", "Incomplete", 4), ("copy running-config xyz", "Invalid", 20)],
)
def test_every_refusal_points(line: str, what: str, column: int) -> None:
    async def use(ann: Typist) -> None:
        assert await ann(line) == f"{' ' * (len('R1# ') + column)}^\n% {what} command at '^' marker.\n"

    at(switch(), use)


def test_configuration_mode_reads_too_and_takes_prefix_lengths() -> None:
    device = switch()

    async def use(ann: Typist) -> None:
        await ann.all("configure terminal", "interface Ethernet1/2", "ip address 192.0.2.9/24")
        assert device.running.value("ip address", top="interface Ethernet1/2") == "192.0.2.9/24"
        assert "% Invalid command" in await ann("ip address 192.0.2.9/99")
        assert "NX-OS" in await ann("show version")
        assert ann.cli.prompt() == "R1(config-if)# "

    at(device, use)


def test_an_operator_cannot_configure() -> None:
    async def use(bob: Typist) -> None:
        assert "% Invalid command" in await bob("configure terminal")
        assert "NX-OS" in await bob("show version")

    at(switch(), use, User("bob", "x", 1))


def test_saving_is_what_a_restart_brings_back() -> None:
    device = switch()

    async def use(ann: Typist) -> None:
        await ann.all("configure terminal", "hostname kept", "end")
        assert "Copy complete." in await ann("copy running-config startup-config")
        await ann.all("configure terminal", "hostname lost", "end")
        device.restart()
        assert device.hostname == "kept"

    at(device, use)
