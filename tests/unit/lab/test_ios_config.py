"""The configuration as a tree of lines."""

import pytest

from drivers.lab.ios.config import Config, interface_name


def config() -> Config:
    return Config.parse("hostname R1\ninterface GigabitEthernet0/1\n no ip address\n shutdown\nline vty 0 4\n login\n")


def test_what_is_shown_can_be_read_again() -> None:
    lines = config().lines()
    assert Config.parse("\n".join(lines)).lines() == lines


def test_a_single_value_is_replaced() -> None:
    changed = config()
    changed.enter(None, "hostname R2", "hostname")
    assert changed.value("hostname") == "R2"
    assert "hostname R1" not in changed.lines()


def test_a_list_grows_and_keeps_no_doubles() -> None:
    changed = config()
    for line in ("ntp server 192.0.2.1", "ntp server 192.0.2.2", "ntp server 192.0.2.1"):
        changed.enter(None, line, None)
    assert [line for line in changed.lines() if line.startswith("ntp")] == [
        "ntp server 192.0.2.1",
        "ntp server 192.0.2.2",
    ]


def test_entering_a_line_ends_its_denial() -> None:
    changed, top = config(), "interface GigabitEthernet0/1"
    changed.enter(top, "ip address 192.0.2.9 255.255.255.0", "ip address")
    assert changed.blocks[top] == ["shutdown", "ip address 192.0.2.9 255.255.255.0"]


def test_removal_goes_by_whole_words() -> None:
    changed = config()
    changed.enter(None, "vlan 1", None)
    changed.enter(None, "vlan 10", None)
    assert changed.remove(None, "vlan 1")
    assert "vlan 10" in changed.lines()
    assert "vlan 1" not in changed.lines()
    assert not changed.remove(None, "vlan 1")


def test_a_copy_is_its_own() -> None:
    original = config()
    original.copy().enter("interface GigabitEthernet0/1", "description x", "description")
    assert "description x" not in original.blocks["interface GigabitEthernet0/1"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gi0/1", "GigabitEthernet0/1"),
        ("Lo 0", "Loopback0"),
        ("te1/0/1.20", "TenGigabitEthernet1/0/1.20"),
        ("gi", None),
    ],
)
def test_interface_names_are_spelled_out(text: str, name: str | None) -> None:
    assert interface_name(text) == name
