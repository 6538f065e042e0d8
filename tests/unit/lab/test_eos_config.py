"""Configurations of the EOS persona: order, nesting, differences."""

import pytest

from drivers.lab.eos.config import Config, diff, interface_name, short_name

TEXT = """\
hostname R1
!
interface Ethernet1
   description to the core
   ip address 192.0.2.1/24
!
interface Ethernet2
!
interface Ethernet10
!
router bgp 65001
   neighbor 192.0.2.2 remote-as 65002
   !
   address-family ipv4
      neighbor 192.0.2.2 activate
!
end"""


def test_it_is_shown_as_it_was_read_and_in_the_order_of_eos() -> None:
    config = Config.parse(TEXT.removesuffix("!\nend"))
    assert config.lines() == ["!", *TEXT.splitlines()]
    shuffled = Config()
    for top in reversed(config.blocks):
        shuffled.blocks[top] = config.blocks[top]
    assert shuffled.lines() == config.lines()


def test_a_copy_is_a_copy_to_the_bottom() -> None:
    config = Config.parse(TEXT.removesuffix("!\nend"))
    copy = config.copy()
    copy.at(["router bgp 65001", "address-family ipv4"]).enter("neighbor 192.0.2.3 activate")
    assert config.lines() != copy.lines()


def test_a_line_takes_the_place_of_what_it_replaces() -> None:
    config = Config.parse("no hostname\nhostname a")
    config.enter("hostname b", "hostname")
    assert list(config.blocks) == ["hostname b"]


def test_the_difference_is_unified_and_empty_when_there_is_none() -> None:
    running = Config.parse(TEXT.removesuffix("!\nend"))
    other = running.copy()
    assert diff(running, other, "x") == ""
    other.enter("hostname R9", "hostname")
    shown = diff(running, other, "x").splitlines()
    assert shown[:2] == ["--- system:/running-config", "+++ session:/x-session-config"]
    assert [line for line in shown[2:] if line[0] in "+-"] == ["-hostname R1", "+hostname R9"]


@pytest.mark.parametrize(
    ("typed", "name", "short"),
    [
        ("et1", "Ethernet1", "Et1"),
        ("Port-Channel 7", "Port-Channel7", "Po7"),
        ("ma1", "Management1", "Ma1"),
        ("Ethernet3/1.10", "Ethernet3/1.10", "Et3/1.10"),
    ],
)
def test_names_of_interfaces(typed: str, name: str, short: str) -> None:
    assert interface_name(typed) == name
    assert short_name(name) == short


@pytest.mark.parametrize("typed", ["gi0/1", "Ethernet", "et", "1"])
def test_what_is_no_interface(typed: str) -> None:
    assert interface_name(typed) is None
