"""What the netmiko driver says that it can do, the patterns that clients may name, and bash's codes."""

import re

import pytest
from pydantic import ValidationError

from drivers.base import Capabilities
from drivers.netmiko import NetmikoConfig, NetmikoDriver, NetmikoQuery
from drivers.netmiko.expected import PATTERNS, PatternName
from drivers.netmiko.stream import TextStream


@pytest.mark.parametrize(
    ("device_type", "can"),
    [
        ("cisco_ios", {"revert_in", "rollback", "files"}),
        ("cisco_ios_telnet", {"revert_in", "rollback"}),
        ("cisco_xe", {"revert_in", "rollback", "files"}),
        ("arista_eos", {"dry_run", "revert_in", "rollback", "replace", "files"}),
        ("juniper_junos_ssh", {"dry_run", "revert_in", "rollback", "files"}),
        ("cisco_nxos", {"rollback", "files"}),
        ("huawei_vrpv8", {"dry_run"}),
        ("huawei", set()),
        ("linux", {"files"}),
        ("fortinet", set()),
        (None, set()),
    ],
)
def test_capabilities_are_the_platforms(device_type: str | None, can: set[str]) -> None:
    expected = Capabilities(**dict.fromkeys(can, True))  # type: ignore[arg-type]  # all of them are flags
    assert NetmikoDriver().capabilities(device_type) == expected


def test_a_device_that_is_yet_to_be_told_is_refused_nothing_beforehand() -> None:
    can = NetmikoDriver().capabilities("autodetect")
    assert can.dry_run and can.revert_in and can.rollback and can.replace and can.files  # noqa: PT018
    assert "autodetect" in NetmikoDriver().device_types()


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("confirm", "Proceed with reload? [confirm]", True),
        ("confirm", "[confirm] was answered\nR1#", False),
        ("yes_no", "System configuration has been modified. Save? [yes/no]: ", True),
        ("yes_no", "Are you sure to continue?[Y/N]:", True),
        ("yes_no", "Reboot the system ? [yes,no] (no) ", True),
        ("yes_no", "Say [yes/no]\nR1#", False),
        ("password", "Password: ", True),
        ("password", "[sudo] password for bob: ", True),
        ("password", "password: changed\n", False),
        ("username", "Username: ", True),
        ("username", "r1 login: ", True),
        ("filename", "Destination filename [startup-config]? ", True),
        ("filename", "filename [x]? ok\n", False),
        ("prompt_any", "text\n<HUAWEI>", True),
        ("prompt_any", "text\n[~HUAWEI]", True),
        ("prompt_any", "text\nbob@r1> ", True),
        ("prompt_any", "100%\n", False),
        ("prompt_any", "it is 100 %", False),
    ],
)
def test_named_patterns(name: PatternName, text: str, found: bool) -> None:
    assert (re.search(PATTERNS[name], text) is not None) is found


def test_only_known_patterns_have_names() -> None:
    assert NetmikoQuery.model_validate({"expect_string": {"pattern": "confirm"}}).ending == PATTERNS["confirm"]
    assert NetmikoQuery(expect_string="[x]").ending == r"\[x\]"
    with pytest.raises(ValidationError):
        NetmikoQuery.model_validate({"expect_string": {"pattern": "(a+)+$"}})


@pytest.mark.parametrize("comment", ['a"; run file delete x', "a\\", "a?", "a\nb", ""])
def test_a_comment_stays_a_comment(comment: str) -> None:
    with pytest.raises(ValidationError):
        NetmikoConfig(comment=comment)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_bash_begins_no_line_with_its_codes(size: int) -> None:
    sent = b"echo here\r\n\x1b[?2004l\rhere\r\n\x1b[?2004hbob@box:~$ "
    stream = TextStream("utf-8")
    text = "".join(
        stream.feed(sent[start : start + size], _newlines, lambda text: re.sub(r"\x1b\[\?2004[hl]", "", text))
        for start in range(0, len(sent), size)
    )
    assert text == "echo here\nhere\nbob@box:~$ "


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
