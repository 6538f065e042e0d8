"""The candidate, commits, and commits that want to be confirmed."""

import pytest

from drivers.lab.junos.cli import Junos
from drivers.lab.users import User
from tests.unit.lab.typist import ANN, Typist, at, minutes


def router() -> Junos:
    """A router with minutes of 20 ms."""
    made = Junos("R1", "")
    made.minute_ms = 20
    return made


def test_nothing_is_active_before_the_commit() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("configure", "set system host-name core")
        assert ann.cli.prompt() == "\n[edit]\nann@R1# "
        assert await ann("show | compare") == "[edit system]\n-  host-name R1;\n+  host-name core;\n"
        assert await ann("commit check") == "configuration check succeeds\n"
        assert device.hostname == "R1"
        assert await ann('commit comment "a name"') == "commit complete\n"
        assert ann.cli.prompt() == "\n[edit]\nann@core# "
        assert "a name" in await ann("run show system commit")
        assert await ann("show | compare rollback 1") == "[edit system]\n-  host-name R1;\n+  host-name core;\n"
        assert "set system host-name core" in await ann("run show configuration | display set")

    at(device, use)


def test_rollback_puts_back_what_was() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("configure", "set system host-name core", "rollback 0")
        assert await ann("show | compare") == ""
        await ann.all("set system host-name core", "commit", "rollback 1", "commit and-quit")
        assert (device.hostname, ann.cli.mode) == ("R1", "operational")
        assert "error: rollback 9 is not available" in await ann.all("configure", "rollback 9")

    at(device, use)


def test_an_unconfirmed_commit_goes_back() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("configure", "set system host-name core")
        shown = await ann("commit confirmed 1")
        assert "automatically rolled back in 1 minutes unless confirmed\ncommit complete" in shown
        assert device.hostname == "core"
        await minutes(device, 1)
        assert device.hostname == "R1"
        assert await ann("show | compare") == ""

    at(device, use)


@pytest.mark.parametrize("confirm", ["commit", "commit check"])
def test_a_confirmed_commit_stays(confirm: str) -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("configure", "set system host-name core", "commit confirmed 1", confirm)
        await minutes(device, 1)
        assert (device.hostname, device.pending) == ("core", None)

    at(device, use)


def test_a_restart_does_not_confirm() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("configure", "set system host-name core", "commit confirmed 5", "set system host-name lost")
        device.restart()
        assert (device.hostname, device.pending) == ("R1", None)
        assert device.candidate == device.active

    at(device, use)


def test_an_invalid_candidate_is_not_committed() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("configure", "delete system root-authentication", "set system host-name core")
        for line in ("commit check", "commit", "commit confirmed 1"):
            assert "error: commit failed: (missing mandatory statements)" in await ann(line)
        assert device.hostname == "R1"
        assert device.pending is None

    at(device, use)


def test_leaving_with_changes_asks_and_keeps_the_shared_candidate() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        await ann.all("configure", "set system host-name core")
        assert "Exit with uncommitted changes?" in await ann("exit configuration-mode", "no\r")
        assert ann.cli.mode == "configure"
        await ann("exit", "\r")
        assert ann.cli.mode == "operational"
        assert "changed but not committed" in await ann("configure")
        assert "host-name core" in await ann("show | compare")

    at(device, use)


def test_exclusive_and_private_candidates() -> None:
    device = router()

    async def use(ann: Typist) -> None:
        bob = Typist(device, User("bob", "x"))
        await ann("configure exclusive")
        assert "configuration database locked" in await bob("configure")
        await ann("set system host-name lost")
        await ann("exit configuration-mode", "yes\r")
        await ann("configure private")
        await bob("configure private")
        await bob.all("set system domain-name example.net", "commit")
        await ann.all("set system host-name core", "commit")
        assert (device.hostname, device.active.value("system", "domain-name")) == ("core", "example.net")

    at(device, use)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("shwo version",), "unknown command.\n"),
        (("show bogus",), "syntax error.\n"),
        (("configure", "set bogus x"), "syntax error.\n"),
        (("configure", "set system"), "syntax error.\n"),
        (("configure", "delete system bogus"), "warning: statement not found\n"),
        (("configure", "commit confirmed soon"), "syntax error.\n"),
        (("configure", "frobnicate"), "unknown command.\n"),
    ],
)
def test_what_is_refused_changes_nothing(lines: tuple[str, ...], said: str) -> None:
    device = router()

    async def use(ann: Typist) -> None:
        assert (await ann.all(*lines)).endswith(said)
        assert device.candidate == Junos("R1", "").active

    at(device, use)


def test_a_read_only_class_can_neither_configure_nor_see_the_configuration() -> None:
    async def use(bob: Typist) -> None:
        assert (await bob("configure")).endswith("unknown command.\n")
        assert "Hostname: R1" in await bob("show version")

    at(router(), use, User("bob", "x", 1))


def test_places_and_filters() -> None:
    async def use(ann: Typist) -> None:
        await ann.all("configure", "edit interfaces ge-0/0/1", "set mtu 9000")
        assert ann.cli.prompt().startswith("\n[edit interfaces ge-0/0/1]\n")
        assert await ann("show") == "mtu 9000;\n"
        assert await ann("show | display set | match mtu") == "set interfaces ge-0/0/1 mtu 9000\n"
        await ann("top")
        assert (
            await ann("show interfaces | count") == f"Count: {len((await ann('show interfaces')).splitlines())} lines\n"
        )

    at(router(), use, ANN)
