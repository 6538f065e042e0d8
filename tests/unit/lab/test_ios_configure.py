"""Configuration lines and what they leave behind."""

import asyncio

import pytest

from drivers.lab.faults import How
from drivers.lab.ios.cli import Ios, IosCli
from drivers.lab.terminal import Terminal
from drivers.lab.users import User


class Paper:
    """A wire that keeps what is written."""

    def __init__(self) -> None:
        self.text = b""

    def write(self, data: bytes) -> None:
        self.text += data

    async def drain(self) -> None: ...

    def cut(self, how: How) -> None: ...


def configured(*lines: str) -> tuple[IosCli, str]:
    """A session in configuration mode after these lines, and what it showed."""

    async def run() -> tuple[IosCli, str]:
        paper = Paper()
        terminal = Terminal(paper, length=0)
        cli = Ios("R1", "secret").log_in(terminal, User("ann", "x"))
        for line in ("configure terminal", *lines):
            await cli.run(line)
        await terminal.flush()
        return cli, paper.text.decode()

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("lines", "mode", "kept"),
    [
        (("int lo1", "desc  two  blanks"), "config-if", " description two  blanks"),
        (("int gi0/1", "ip route 192.0.2.0 255.255.255.0 Null0"), "config", "ip route 192.0.2.0 255.255.255.0 Null0"),
        (("int gi0/1", "ntp server 192.0.2.1"), "config", "ntp server 192.0.2.1"),
        (("int gi0/1", "ip access-group x in"), "config-if", " ip access-group x in"),
        (("int gi0/1", "ip add 192.0.2.9 255.255.255.0"), "config-if", " ip address 192.0.2.9 255.255.255.0"),
        (("username eve privilege 5 secret a", "username eve secret b"), "config", "username eve secret b"),
        (("vlan 12", "name blue"), "config-vlan", " name blue"),
        (("line vty 0 4", "exec-timeout 5 0"), "config-line", " exec-timeout 5 0"),
        (("no ip cef",), "config", "no ip cef"),
        (("logging host 192.0.2.5",), "config", "logging host 192.0.2.5"),
    ],
)
def test_what_is_entered_is_kept(lines: tuple[str, ...], mode: str, kept: str) -> None:
    cli, shown = configured(*lines)
    assert "%" not in shown
    assert cli.mode == mode
    assert cli.router.running.lines().count(kept) == 1
    assert cli.router.unsaved


@pytest.mark.parametrize(
    ("lines", "gone"),
    [
        (("int lo1", "exit", "no interface lo1"), "interface Loopback1"),
        (("hostname x", "ntp server 192.0.2.1", "no ntp server 192.0.2.1"), "ntp server 192.0.2.1"),
        (("int gi0/1", "description x", "no description"), " description x"),
        (("username eve secret b", "no username eve"), "username eve secret b"),
        (("int gi0/1", "description x", "exit", "default interface gi0/1"), " description x"),
    ],
)
def test_what_is_negated_is_gone(lines: tuple[str, ...], gone: str) -> None:
    entered, _ = configured(*lines[:-1])
    cli, shown = configured(*lines)
    assert gone in entered.router.running.lines()
    assert gone not in cli.router.running.lines()
    assert "%" not in shown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("int gi9/9", "% Invalid input"),
        ("vlan 5000", "% Invalid input"),
        ("no interface gi0/1", "% Removal of physical interfaces is not permitted."),
        ("h", "% Incomplete command."),
        ("e", "% Ambiguous command"),
        ("do", "% Incomplete command."),
        ("do show xogus", "% Invalid input"),
    ],
)
def test_what_is_refused_changes_nothing(line: str, said: str) -> None:
    cli, shown = configured(line)
    assert said in shown
    assert cli.router.running.lines() == Ios("R1", "secret").running.lines()


def test_an_enable_secret_replaces_the_labs_and_is_not_shown() -> None:
    cli, _ = configured("enable secret first", "enable secret second")
    assert cli.router.is_secret("second")
    assert not cli.router.is_secret("first")
    assert not cli.router.is_secret("secret")
    assert "second" not in "\n".join(cli.router.running.lines())


def test_a_restart_brings_back_what_was_saved() -> None:
    cli, _ = configured("hostname saved", "do write", "hostname lost")
    cli.router.restart()
    assert cli.router.hostname == "saved"
    cli.router.erase()
    cli.router.restart()
    assert cli.router.hostname == "Router"
