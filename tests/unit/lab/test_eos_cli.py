"""The EOS command line: modes, prompts, what lines leave behind, and what it says of others."""

import asyncio

import pytest

from drivers.lab.eos.cli import Eos, EosCli
from drivers.lab.faults import How
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


def typed(*lines: str, answers: str = "", privilege: int = 15) -> tuple[EosCli, str]:
    """A session after these lines, and what it showed."""

    async def run() -> tuple[EosCli, str]:
        paper = Paper()
        terminal = Terminal(paper, length=0)
        terminal.feed(answers.encode())
        cli = Eos("R1", "enable-word").log_in(terminal, User("ann", "x", privilege))
        for line in lines:
            await cli.run(line)
        await terminal.flush()
        return cli, paper.text.decode().replace("\r\n", "\n")

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("lines", "prompt"),
    [
        ((), "R1#"),
        (("configure",), "R1(config)#"),
        (("conf t", "int et1"), "R1(config-if-Et1)#"),
        (("conf t", "int et1", "vlan 10"), "R1(config-vlan-10)#"),
        (("conf t", "int et1", "exit"), "R1(config)#"),
        (("conf t", "router bgp 65001", "address-family ipv4"), "R1(config-router-af)#"),
        (("conf t", "router bgp 65001", "address-family ipv4", "exit"), "R1(config-router-bgp)#"),
        (("conf t", "router bgp 65001", "address-family ipv4", "router-id 1.1.1.1"), "R1(config-router-af)#"),
        (("conf t", "int et1", "end"), "R1#"),
        (("conf t", "hostname a"), "a(config)#"),
        (("configure session maintenance",), "R1(config-s-mainte)#"),
        (("configure session maintenance", "int et1"), "R1(config-s-mainte-if-Et1)#"),
        (("configure session maintenance", "int et1", "commit"), "R1#"),
        (("configure session m", "hostname a"), "R1(config-s-m)#"),
        (("configure session m", "abort"), "R1#"),
    ],
)
def test_the_prompt_shows_the_mode(lines: tuple[str, ...], prompt: str) -> None:
    assert typed(*lines)[0].prompt() == prompt


@pytest.mark.parametrize(
    ("lines", "path", "kept"),
    [
        (("int et2", "desc  two  blanks"), ["interface Ethernet2"], ["description two  blanks"]),
        (("int et1", "switchport"), ["interface Ethernet1"], ["description uplink"]),
        (("int et2", "no switchport"), ["interface Ethernet2"], ["no switchport"]),
        (("int et3", "no shutdown"), ["interface Ethernet3"], []),
        (("no interface et1",), ["interface Ethernet1"], []),
        (("management api http-commands", "shutdown"), ["management api http-commands"], []),
        (("vlan 20", "name guests", "name staff"), ["vlan 20"], ["name staff"]),
        (("router bgp 1", "address-family ipv4", "network 10.0.0.0/8"), ["router bgp 1", "address-family ipv4"],
         ["network 10.0.0.0/8"]),
        (("ip access-list edge", "10 permit ip any any", "10 deny ip any any"), ["ip access-list edge"],
         ["10 deny ip any any"]),
    ],
)  # fmt: skip
def test_what_lines_leave_behind(lines: tuple[str, ...], path: list[str], kept: list[str]) -> None:
    cli, said = typed("configure", *lines)
    block = cli.switch.running.at(path)
    assert said == ""
    assert [
        line for line in block.blocks if not line.startswith(("ip address", "no switchport")) or line in kept
    ] == kept


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("foo",), "% Invalid input\n"),
        (("show",), "% Incomplete command\n"),
        (("s",), "% Incomplete command\n"),
        (("c",), "% Ambiguous command\n"),
        (("show interfaces et9",), "% Interface does not exist\n"),
        (("conf t", "interface Ethernet99"), "% Invalid input\n"),
        (("conf t", "int et1", "ip address 192.0.2.1"), "% Invalid input\n"),
        (("conf t", "commit"), "% Invalid input\n"),
        (("configure session x abort",), "% Session x does not exist or is completed\n"),
        (("configure session x", "commit timer soon"), "% Invalid commit timer: expected HH:MM:SS, more than zero\n"),
        (("configure replace flash:none",), "% Error opening flash:none (No such file or directory)\n"),
        (("terminal length 0", "terminal width 511"), "Pagination disabled.\nWidth set to 511 columns.\n"),
        (("write",), "Copy completed successfully.\n"),
    ],
)
def test_what_is_said(lines: tuple[str, ...], said: str) -> None:
    assert typed(*lines)[1] == said


def test_a_refused_line_leaves_the_mode_as_it_was() -> None:
    cli, _ = typed("conf t", "int et1", "interface Ethernet99")
    assert cli.prompt() == "R1(config-if-Et1)#"


def test_enable_asks_for_the_secret() -> None:
    assert typed("enable", answers="enable-word\r", privilege=1)[0].prompt() == "R1#"
    cli, said = typed("show running-config", "enable", answers="a\rb\rc\r", privilege=1)
    assert cli.prompt() == "R1>"
    assert said.startswith("% Invalid input (privileged mode required)\n")
    assert said.endswith("% Bad secret\n")


def test_secrets_are_kept_sealed() -> None:
    cli, _ = typed("conf t", "username eve privilege 15 secret very-open", "enable password word")
    text = "\n".join(cli.switch.running.lines())
    assert "very-open" not in text
    assert "username eve privilege 15 secret sha512 $6$" in text
    assert cli.switch.is_secret("word")
    assert not cli.switch.is_secret("enable-word")


def test_a_banner_takes_lines_until_eof() -> None:
    cli, _ = typed("conf t", "banner motd", answers="hello\r there\rEOF\r")
    assert "banner motd\nhello\n there\nEOF" in cli.switch.running.blocks
    assert cli.greeting() == "hello\n there\n"


def test_a_session_is_compared_and_started_over() -> None:
    _, said = typed("configure session s", "hostname b", "show session-config diffs")
    assert "-hostname R1\n+hostname b\n" in said
    _, said = typed("configure session s", "rollback clean-config", "show session-config diffs")
    assert "-hostname R1\n" in said
    assert "+hostname" not in said


def test_checkpoints_and_files_bring_a_configuration_back() -> None:
    lines = ("configure checkpoint save good", "copy running-config flash:kept", "conf t", "hostname bad", "end")
    assert typed(*lines)[0].switch.hostname == "bad"
    for back in (
        "configure checkpoint restore good",
        "configure replace flash:kept",
        "configure replace startup-config",
    ):
        assert typed(*lines, back)[0].switch.hostname == "R1"


def test_shows_work_in_configuration_mode_and_through_pipes() -> None:
    _, said = typed("conf t", "int et1", "show running-config | include hostname", "show hostname | json")
    assert said == 'hostname R1\n{\n    "hostname": "R1",\n    "fqdn": "R1"\n}\n'
