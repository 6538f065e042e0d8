"""Lines into commands, answers into results."""

import json
from typing import Any

import pytest
from pyeapi.eapilib import CommandError

from drivers.errors import DriverError
from drivers.pyeapi.entries import Entry, entries
from drivers.pyeapi.reading import decoded, said


def test_a_banner_is_one_command_with_input() -> None:
    lines = [
        "hostname sw1",
        "banner  motd",
        "Welcome",
        "commit",
        "EOF",
        "",
        "! comment",
        "interface Ethernet1",
        "   mtu 9000",
    ]
    assert entries(lines) == [
        Entry(["hostname sw1"], "hostname sw1"),
        Entry(["banner  motd", "Welcome", "commit", "EOF"], {"cmd": "banner motd", "input": "Welcome\ncommit"}),
        Entry([""], None),
        Entry(["! comment"], None),
        Entry(["interface Ethernet1"], "interface Ethernet1"),
        Entry(["   mtu 9000"], "mtu 9000"),
    ]


def test_two_texts_belong_to_a_certificate() -> None:
    lines = ["protocol https certificate", "cert", "EOF", "key", "EOF"]
    assert entries(lines) == [Entry(lines, {"cmd": "protocol https certificate", "input": "cert\nEOF\nkey"})]


def test_a_text_without_end_is_a_line() -> None:
    assert [entry.command for entry in entries(["banner motd", "Welcome"])] == ["banner motd", "Welcome"]


@pytest.mark.parametrize(
    "line", ["commit", "  commit timer 1:0:0", "abort", "configure replace flash:x", "write", "reload now", "COMMIT"]
)
def test_lines_that_reach_past_the_session_are_not_sent(line: str) -> None:
    with pytest.raises(DriverError, match="line 2 is no configuration"):
        entries(["hostname x", line])


def test_control_characters_are_not_sent() -> None:
    with pytest.raises(DriverError, match="line 1 contains a control character"):
        entries(["hostname x\nreload now"])


def answer(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": "7"} | fields).encode()


def test_a_result_is_cleaned_of_what_cannot_be_kept() -> None:
    body = answer(result=[{"a\x00": ["\ud800", 1, None]}]).replace(b"1", b"NaN")
    assert decoded(body, "7", "sw1")["result"] == [{"a\ufffd": ["?", None, None]}]


def test_a_refusal_is_pyeapis() -> None:
    body = answer(error={"code": 1002, "message": "failed", "data": [{}, {"errors": ["Invalid input"]}]})
    with pytest.raises(CommandError) as caught:
        decoded(body, "7", "sw1")
    assert caught.value.error_code == 1002
    assert caught.value.output == [{}, {"errors": ["Invalid input"]}]
    assert "Invalid input" in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"[" * 100_000,
        b"9" * 10_000,
        answer(id="6", result=[{}]),
        answer(result={}),
        answer(result=["text"]),
        answer(error="no"),
        answer(error={"code": "x", "message": "m"}),
        answer(error={"code": 1002}),
    ],
)
def test_what_is_no_answer_is_an_error(body: bytes) -> None:
    with pytest.raises(DriverError, match="sw1 answered with something that"):
        decoded(body, "7", "sw1")


def test_the_words_of_a_result() -> None:
    assert said({"output": "Arista\n\n"}) == "Arista"
    assert said({"messages": ["Copy completed", 3], "warnings": ["hm"]}) == "Copy completed\nhm"
    assert said({"errors": ["Invalid input"], "output": "\n"}) == "Invalid input"
    assert said({"errors": "no list"}) == ""
