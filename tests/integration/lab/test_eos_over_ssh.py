"""The EOS persona over real SSH, as netmiko's `arista_eos` sees it."""

from collections.abc import Iterator

import pytest
from netmiko import BaseConnection, ConnectHandler

from drivers.lab import LabDevice, LabProcess, User
from tests.waiting import until

BOB = User("bob", "bobs-word", 1)


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(persona="eos", devices=10, users=[BOB]) as lab:
        yield lab


@pytest.fixture(scope="module")
def unused(lab: LabProcess) -> Iterator[LabDevice]:
    return iter(lab.devices)


@pytest.fixture
def where(unused: Iterator[LabDevice]) -> LabDevice:
    """A device of the test's own, as from the factory."""
    return next(unused)


@pytest.fixture
def device(lab: LabProcess, where: LabDevice) -> Iterator[BaseConnection]:
    with opened(lab, where) as connection:
        yield connection


def opened(lab: LabProcess, where: LabDevice, user: User | None = None) -> BaseConnection:
    name, password = (user.name, user.password) if user else (lab.username, lab.password)
    return ConnectHandler(
        device_type="arista_eos", host=where.host, port=where.port, username=name, password=password, secret=lab.secret
    )


def test_a_change_by_netmiko(lab: LabProcess, where: LabDevice, device: BaseConnection) -> None:
    device.send_config_set(["interface Ethernet2", "description by ssh", "vlan 30", "name guests"])
    device.save_config()
    assert "   description by ssh" in (lab.startup_config(where) or [])
    assert "guests" in device.send_command("show vlan")


@pytest.mark.filterwarnings("ignore:path is deprecated:DeprecationWarning")  # netmiko, at its templates
def test_every_table_is_read_by_the_templates(device: BaseConnection) -> None:
    for command in (
        "show version",
        "show clock",
        "show hostname",
        "show interfaces",
        "show interfaces status",
        "show inventory",
        "show ip interface brief",
        "show lldp neighbors",
    ):
        rows = device.send_command(command, use_textfsm=True, raise_parsing_error=True)
        assert isinstance(rows, list)
        assert rows


def test_user_mode_and_enable(lab: LabProcess, where: LabDevice) -> None:
    with opened(lab, where, BOB) as device:
        assert device.find_prompt() == f"{where.name}>"
        assert device.send_command("show running-config") == "% Invalid input (privileged mode required)"
        device.enable()
        assert device.find_prompt() == f"{where.name}#"
        assert f"hostname {where.name}" in device.send_command("show running-config")


def test_a_session_is_compared_and_committed(lab: LabProcess, where: LabDevice, device: BaseConnection) -> None:
    device.send_config_set(["hostname R99"], config_mode_command="configure session by-netmiko")
    shown = str(device.send_command("show session-config named by-netmiko diffs", expect_string=f"\n{where.name}#"))
    assert "+++ session:/by-netmiko-session-config" in shown
    assert f"-hostname {where.name}\n+hostname R99" in shown
    assert "hostname R99" not in lab.running_config(where)
    device.send_command("configure session by-netmiko commit", expect_string="R99#")
    assert "hostname R99" in lab.running_config(where)


def test_an_unconfirmed_commit_is_undone_after_its_time(
    lab: LabProcess, where: LabDevice, device: BaseConnection
) -> None:
    device.send_config_set(["ntp server 192.0.2.9"], config_mode_command="configure session timed")
    device.send_command("configure session timed commit timer 00:00:01")
    assert "ntp server 192.0.2.9" in lab.running_config(where)
    assert "pendingCommitTimer" in device.send_command("show configuration sessions detail")
    until(lambda: "ntp server 192.0.2.9" not in lab.running_config(where), "the commit is undone", timeout_s=5)
    assert "timed" not in device.send_command("show configuration sessions")
