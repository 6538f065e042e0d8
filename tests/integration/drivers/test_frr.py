"""netmiko on a real router: FRRouting's vtysh, which looks like IOS without being one."""

from collections.abc import Iterator
from typing import Any

import pytest

from drivers.base import Change, Reply, Verdict
from drivers.errors import CommandRejected
from drivers.netmiko import NetmikoConfig, NetmikoConnection, NetmikoDriver, NetmikoQuery, NetmikoSession
from tests.frr import frr, reset, running_config, vtysh
from tests.sshd import Sshd, user

NAME = "np0123456789ab"
ROUTE = "ip route 198.51.100.0/24 Null0"


@pytest.fixture(scope="module")
def running() -> Iterator[Sshd]:
    with frr() as server:
        yield server


@pytest.fixture
def router(running: Sshd) -> Iterator[Sshd]:
    yield running
    reset(running)


@pytest.fixture
def sessions(router: Sshd) -> Iterator[tuple[NetmikoSession, NetmikoSession]]:
    """Two, open at once."""
    opened = _login(router), _login(router)
    yield opened
    for session in opened:
        session.close()


@pytest.fixture
def session(sessions: tuple[NetmikoSession, NetmikoSession]) -> NetmikoSession:
    return sessions[0]


def _login(router: Sshd) -> NetmikoSession:
    fields = {"device_type": "cisco_ios", "host": "127.0.0.1", "port": router.port, "timeout": 5}
    driver, login = NetmikoDriver(), {"username": user(), "pkey": router.key.read_text()}
    session = driver.session(driver.target(NetmikoConnection.model_validate(fields | login)))
    assert isinstance(session, NetmikoSession)
    session.open()
    return session


def ask(session: NetmikoSession, *commands: str) -> list[str]:
    replies: list[Reply] = []
    session.run_commands(commands, NetmikoQuery(read_timeout=5), replies.append)
    return [reply.stdout for reply in replies]


def apply(session: NetmikoSession, *lines: str, **args: Any) -> list[Reply]:
    replies: list[Reply] = []
    session.apply_config(Change(lines, NetmikoConfig(read_timeout=5, **args), NAME), replies.append)
    return replies


def test_its_version(session: NetmikoSession, router: Sshd) -> None:
    (version,) = ask(session, "show version")
    assert version.split() == vtysh(router, "show version").split()


def test_its_configuration_comes_whole(session: NetmikoSession, router: Sshd) -> None:
    (shown,) = ask(session, "show running-config")
    assert shown.strip().splitlines() == running_config(router)


def test_a_route_is_seen_by_everybody(sessions: tuple[NetmikoSession, NetmikoSession], router: Sshd) -> None:
    one, other = sessions
    (reply,) = apply(one, ROUTE)
    assert (reply.verdict, reply.stdout) == (Verdict.DONE, "")
    assert ROUTE in ask(other, "show running-config")[0].splitlines()
    assert ROUTE in running_config(router)
    assert one.prompt() == other.prompt()
    apply(other, f"no {ROUTE}")
    assert ROUTE not in ask(one, "show running-config")[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("bogus nonsense", "% Unknown command: bogus nonsense"),
        ("ip route", "% Command incomplete: ip route"),
        ("i forwarding", "% Ambiguous command: i forwarding"),
        ("ip route 198.51.100.300/24 Null0", "% Unknown command: ip route 198.51.100.300/24 Null0"),
    ],
)
def test_a_refused_line(session: NetmikoSession, router: Sshd, line: str, said: str) -> None:
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match="line 2 of 3"):
        session.apply_config(Change([ROUTE, line, "hostname never"], NetmikoConfig(), NAME), replies.append)
    assert [reply.verdict for reply in replies] == [Verdict.DONE, Verdict.REFUSED, Verdict.SKIPPED]
    assert replies[1].stdout.strip() == said
    assert ROUTE in running_config(router)
    assert session.alive()
    assert ask(session, "show version")


@pytest.mark.parametrize("command", ["show nonsense", "show ip nonsense", "show"])
def test_a_refused_command(session: NetmikoSession, command: str) -> None:
    replies: list[Reply] = []
    with pytest.raises(CommandRejected, match="1 of 2"):
        session.run_commands([command, "show version"], NetmikoQuery(), replies.append)
    assert [reply.verdict for reply in replies] == [Verdict.REFUSED, Verdict.DONE]
    assert session.alive()


def test_a_long_output_comes_whole(session: NetmikoSession, router: Sshd) -> None:
    routes = [f"ip route 10.{number // 256}.{number % 256}.0/24 Null0" for number in range(300)]
    vtysh(router, "configure terminal", *routes)
    (shown,) = ask(session, "show running-config")
    assert [line for line in shown.splitlines() if line.startswith("ip route")] == routes


def test_another_name(session: NetmikoSession) -> None:
    """vtysh takes the name for its own prompt at once."""
    apply(session, "hostname other-name")
    assert session.prompt() == "other-name#"
    assert session.alive()
    assert "FRRouting" in ask(session, "show version")[0]
    apply(session, "hostname third")  # `no hostname` would make it `(null)`
    assert session.prompt() == "third#"


def test_a_banner_is_no_prompt(router: Sshd) -> None:
    file = router.folder.parent / "vtysh.conf"
    file.write_text("banner motd line maintenance# tonight> yes\n")
    session = _login(router)
    file.write_text("")
    assert ask(session, "show version")[0].startswith("FRRouting")
    assert len(session.prompt().split()) == 1
    session.close()


def test_it_has_its_end_noticed(session: NetmikoSession, router: Sshd) -> None:
    assert session.ping(2)
    router.kill_connections()
    assert not session.ping(2)
    assert not session.alive()
