"""Bodies that are JSON and ask for something impossible: 400, the place, a sentence, and nothing queued."""

from typing import Any

import httpx
import pytest

from tests.integration.app.answers import assert_log_discreet, fault
from tests.integration.app.serving import SECRET, AsProcess, body, connection

CONTROLS = {"nul": "\0", "tab": "\t", "newline": "\n", "return": "\r", "escape": "\x1b", "delete": "\x7f"}
LINE_ENDS = {"next-line": "\x85", "line-separator": "\u2028", "paragraph-separator": "\u2029"}
HOSTS = {
    "empty": "",
    "spaces": "  ",
    "inner-space": "a b",
    "newline": "a\nb",
    "nul": "a\0",
    "300-characters": "x" * 300,
    "url": "http://192.0.2.1",
    "with-port": "192.0.2.1:22",
    "network": "192.0.2.0/24",
    "no-address": "192.0.2.300",
}

UNKNOWN = {
    "top": (body(comand="x"), ["comand"], "did you mean 'command'?"),
    "top-option": (body(tll=1), ["tll"], "did you mean 'ttl'?"),
    "connection": (
        body(connection_args=connection(pasword=SECRET)),
        ["connection_args", "pasword"],
        "did you mean 'password'?",
    ),
    "query-args": (
        body(driver_args={"read_timout": 1}),
        ["driver_args", "read_timout"],
        "did you mean 'read_timeout'?",
    ),
    "config-args": (
        body(command=None, config="x", driver_args={"sav": True}),
        ["driver_args", "sav"],
        "Known here: dry_run, revert_in, replace, read_timeout, save",
    ),
    "change-only": (
        body(driver_args={"save": True}),
        ["driver_args", "save"],
        "Known here: read_timeout, expect_string",
    ),
    "options": (body(options={"tll": 1}), ["options", "tll"], "did you mean 'ttl'?"),
}

WRONG: dict[str, tuple[dict[str, Any], list[str | int], str]] = {
    "both": (body(config="x"), [], "exactly one of command, config and"),
    "neither": (body(command=None), [], "exactly one of command, config and"),
    "command-number": (body(command=3), ["command"], "must be text, or a list of texts"),
    "command-numbers": (body(command=["show version", 3]), ["command", 1], "valid string"),
    "command-empty": (body(command=""), ["command", 0], "must not be empty"),
    "command-blank": (body(command=["show version", "  "]), ["command", 1], "must not be empty"),
    "command-none": (body(command=[]), ["command"], "must not be empty"),
    "command-many": (body(command=["x"] * 10_001), ["command"], "10000"),
    "command-long": (body(command="x" * 16_385), ["command", 0], "16384"),
    "config-blank": (body(command=None, config="\n \n"), ["config"], "must not be empty"),
    "config-blank-line": (body(command=None, config=["x", ""]), ["config", 1], "must not be empty"),
    "config-tab": (body(command=None, config="interface x\n\tshutdown"), ["config", 1], "control characters"),
    "config-separator": (body(command=None, config="a\u2028reload"), ["config", 0], "control characters"),
    "config-vertical-tab": (body(command=None, config="a\x0breload"), ["config", 0], "control characters"),
    "config-object": (body(command=None, config={"a": 1}), ["config"], "must be text"),
    "driver-missing": (body(driver=None), ["driver"], "missing; installed: napalm, netmiko, paramiko, pyeapi"),
    "driver-unknown": (body(driver=SECRET), ["driver"], "no such driver; installed: napalm, netmiko, paramiko, pyeapi"),
    "driver-number": (body(driver=3), ["driver"], "no such driver"),
    "device-type": (
        body(connection_args=connection(device_type="cisco_iso")),
        ["connection_args", "device_type"],
        "did you mean cisco_ios",
    ),
    "connection-list": (body(connection_args=[SECRET]), ["connection_args"], "must be a JSON object"),
    "connection-missing": (body(connection_args=None), ["connection_args"], "required"),
    "password-list": (body(connection_args=connection(password=[SECRET])), ["connection_args", "password"], "string"),
    "password-line": (
        body(connection_args=connection(password=f"{SECRET}\n")),
        ["connection_args", "password"],
        "control characters",
    ),
    "port-0": (body(connection_args=connection(port=0)), ["connection_args", "port"], "greater than or equal to 1"),
    "port-65536": (body(connection_args=connection(port=65536)), ["connection_args", "port"], "equal to 65535"),
    "port-text": (body(connection_args=connection(port="ssh")), ["connection_args", "port"], "valid integer"),
    "host-number": (body(connection_args=connection(host=5)), ["connection_args", "host"], "string"),
    "host-missing": (body(connection_args=connection(host=None)), ["connection_args"], "exactly one of host and ip"),
    "args-list": (body(driver_args=[1]), ["driver_args"], "must be a JSON object"),
    "args-type": (body(driver_args={"read_timeout": "x"}), ["driver_args", "read_timeout"], "valid number"),
    "options-list": (body(options=[], ttl=1), ["options"], "must be a JSON object"),
    "options-null": (body() | {"options": None}, ["options"], "must be a JSON object"),
    "options-conflict": (body(options={"ttl": 1}, ttl=2), [], "ttl is given twice"),
    "ttl-0": (body(ttl=0), ["options", "ttl"], "greater than 0"),
    "ttl-nan": (body(ttl="nan"), ["options", "ttl"], "less than or equal"),
    "retry-many": (body(retry=11), ["options", "retry"], "less than or equal to 10"),
    "priority-fraction": (body(priority=1.5), ["options", "priority"], "integer"),
    "strategy": (body(queue_strategy=SECRET), ["options", "queue_strategy"], "'pinned' or 'fifo'"),
    **{
        f"command-{name}": (body(command=f"show{mark}reload"), ["command", 0], "control characters")
        for name, mark in (CONTROLS | LINE_ENDS).items()
    },
    **{
        f"host-{name}": (body(connection_args=connection(host=host)), ["connection_args", "host"], "not a host name")
        for name, host in HOSTS.items()
    },
}


@pytest.mark.parametrize(("request_", "loc", "says"), (UNKNOWN | WRONG).values(), ids=(UNKNOWN | WRONG).keys())
def test_refused(
    asking: httpx.Client, process: AsProcess, request_: dict[str, Any], loc: list[str | int], says: str
) -> None:
    answer = asking.post("/device/execute", json=request_)
    found = fault(answer)
    assert found["loc"] == loc
    assert says in found["msg"]
    assert_log_discreet(process, answer)


def test_every_fault_is_listed(asking: httpx.Client) -> None:
    answer = asking.post("/device/exec", json=body(connection_args=connection(port=0, host=""), ttl=0))
    assert fault(answer)
    assert [item["loc"][-1] for item in answer.json()["data"]] == ["host", "port", "ttl"]
    assert answer.json()["message"].endswith("(and 2 more)")


def test_a_long_name_is_not_repeated_whole(asking: httpx.Client) -> None:
    found = fault(asking.post("/device/execute", json=body() | {"x" * 60_000: 1}))
    assert found["loc"] == ["x" * 64]
