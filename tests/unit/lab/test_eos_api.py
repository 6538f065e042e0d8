"""eAPI requests: what is read from them, and what a switch replies."""

import asyncio
import json
from typing import Any

import pytest

from drivers.lab.eapi import rpc
from drivers.lab.eapi.persona import CallFailed
from drivers.lab.eos.cli import Eos
from drivers.lab.users import User


def request(**params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "method": "runCmds", "id": "7", "params": {"version": 1, **params}}).encode()


def called(*lines: str | tuple[str, str], privilege: int = 15, **ways: bool) -> list[dict[str, Any]]:
    """What one call replies to each of its commands."""
    chosen = {"as_text": False, "complete": True, **ways}

    async def run() -> list[dict[str, Any]]:
        call = Eos("R1", "enable-word").call(User("ann", "x", privilege))
        pairs = [line if isinstance(line, tuple) else (line, "") for line in lines]
        return [await call.run(text, given, **chosen) for text, given in pairs]

    return asyncio.run(run())


def failed(*lines: str | tuple[str, str], privilege: int = 15, **ways: bool) -> tuple[int, str]:
    with pytest.raises(CallFailed) as caught:
        called(*lines, privilege=privilege, **ways)
    return caught.value.code, caught.value.said


def test_a_call_is_read_with_its_inputs_and_ways() -> None:
    call = rpc.read_call(request(cmds=["a", {"cmd": "b", "input": "c"}], format="text", autoComplete=True))
    assert call.lines == (rpc.Line("a"), rpc.Line("b", "c"))
    assert (call.id, call.as_text, call.complete) == ("7", True, True)
    assert not rpc.read_call(request(cmds=[], timestamps=True, expandAliases=True)).complete


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", rpc.PARSE_ERROR),
        (b"[" * 100_000, rpc.PARSE_ERROR),
        (b"[]", rpc.INVALID_REQUEST),
        (b'{"method": "other"}', rpc.NO_SUCH_METHOD),
        (b'{"method": "runCmds"}', rpc.INVALID_PARAMETERS),
        (request(cmds="show version"), rpc.INVALID_PARAMETERS),
        (request(cmds=[1]), rpc.INVALID_PARAMETERS),
        (request(cmds=[], version=3), rpc.INVALID_PARAMETERS),
        (request(cmds=[], format="xml"), rpc.INVALID_PARAMETERS),
    ],
)
def test_what_is_no_call(body: bytes, code: int) -> None:
    with pytest.raises(rpc.BadCall) as caught:
        rpc.read_call(body)
    assert caught.value.code == code


def test_bytes_that_are_no_text_come_out_as_they_went_in() -> None:
    raw = b"\xff\xfe ok \xc3\x28"
    assert raw in rpc.encode({"output": rpc.raw_text(raw)})


def test_a_command_replies_as_json_or_as_text() -> None:
    assert called("show hostname") == [{"hostname": "R1", "fqdn": "R1"}]
    assert called("show hostname", as_text=True) == [{"output": "Hostname: R1\nFQDN:     R1\n"}]
    assert called("write") == [{"messages": ["Copy completed successfully."]}]
    assert called("configure", "! a comment", "hostname b", "show hostname")[-1]["hostname"] == "b"


def test_a_text_comes_as_input() -> None:
    lines = ("configure", ("banner motd", "hello\nthere\n"), "show running-config")
    assert called(*lines, as_text=True)[-1]["output"].count("banner motd\nhello\nthere\nEOF\n") == 1


def test_enable_takes_the_secret_as_input() -> None:
    assert "cmds" in called(("enable", "enable-word"), "show running-config", privilege=1)[-1]
    assert failed(("enable", "wrong"), privilege=1) == (1005, "Bad secret")
    assert failed("enable", privilege=1) == (1005, "Bad secret")


@pytest.mark.parametrize(
    ("line", "failure"),
    [
        ("show foo", (1002, "Invalid input (at token 1: 'foo')")),
        ("show", (1002, "Incomplete command (at token 1: None)")),
        ("show session-config diffs", (1000, "Not currently in a configuration session")),
        ("configure replace flash:none", (1000, "Error opening flash:none (No such file or directory)")),
        ("show users", (1003, "This is an unconverted command")),
        ("bash", (1004, "Command not permitted via API access")),
        ("reload", (1004, "Command cannot be used over the API: it asks 'Proceed with reload? [confirm]'")),
    ],
)
def test_a_command_fails(line: str, failure: tuple[int, str]) -> None:
    assert failed(line) == failure


def test_words_are_to_be_spelled_out_unless_completion_is_asked_for() -> None:
    assert failed("sh ver", complete=False) == (1002, "Incomplete token (at token 0: 'sh')")
    assert failed("configure", "hostn b", complete=False) == (1002, "Incomplete token (at token 0: 'hostn')")
    assert called("sh ver")[0]["modelName"] == "vEOS-lab"
    assert called("configure", "interface et1", "description show ver", complete=False) == [{}, {}, {}]


def test_what_needs_privilege_is_refused_without() -> None:
    assert failed("show running-config", privilege=1)[0] == 1002
