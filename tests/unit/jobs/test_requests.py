"""What a valid body becomes. What is refused, tests/integration/app/test_bad_requests.py shows over HTTP."""

import json
from typing import Any

import pytest

from drivers.registry import load_drivers
from jobs.invalid import RequestInvalid
from jobs.requests import Request, RequestModels

MODELS = RequestModels(load_drivers())
LOGIN = {"device_type": "cisco_ios", "host": "192.0.2.1", "username": "admin", "password": "first-secret"}


def parse(**changes: Any) -> Request:
    """A valid body with `changes`, parsed."""
    return MODELS.parse({"driver": "netmiko", "connection_args": LOGIN, "command": "show version", **changes})


def test_public_and_secret_parts() -> None:
    request = parse(priority=3)
    assert request.public == {
        "driver": "netmiko",
        "connection_args": LOGIN | {"password": "***"},
        "command": ["show version"],
        "options": {"priority": 3},
    }
    assert json.loads(request.secret) == {"connection_args": LOGIN}
    assert "first-secret" not in repr(request.public) + repr(request.target)


def test_secrets_among_the_drivers_arguments() -> None:
    args = {"sudo": True, "sudo_password": "sudo-secret", "timeout": 5}
    request = parse(driver="paramiko", connection_args={"host": "h", "username": "u"}, driver_args=args)
    assert request.public["driver_args"] == args | {"sudo_password": "***"}
    assert json.loads(request.secret) == {"driver_args": args}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"command": "a"}, {"command": ["a"]}, True),
        ({"ttl": 5}, {"options": {"ttl": 5}}, True),
        ({"ttl": 5}, {"ttl": 6}, False),
        ({}, {"connection_args": LOGIN | {"password": "other-secret"}}, False),
        ({}, {"connection_args": dict(reversed(LOGIN.items()))}, True),
        ({"command": None, "config": "a\r\nb"}, {"command": None, "config": ["a", "b"]}, True),
    ],
    ids=["text-or-list", "place-of-option", "option", "password", "order", "line-ends"],
)
def test_canonical(one: dict[str, Any], other: dict[str, Any], equal: bool) -> None:
    assert (parse(**one).canonical() == parse(**other).canonical()) is equal


@pytest.mark.parametrize(
    ("config", "lines"),
    [
        ("a\nb", ["a", "b"]),
        ("a\r\n\r\n b \r\n", ["a", " b "]),
        (["a", " b"], ["a", " b"]),
        ("no-line-end", ["no-line-end"]),
    ],
)
def test_config_lines(config: object, lines: list[str]) -> None:
    request = parse(command=None, config=config)
    assert (request.operation, request.lines) == ("config", lines)


@pytest.mark.parametrize("mark", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_other_line_ends_do_not_split_config(mark: str) -> None:
    """`str.splitlines` would, and what follows would become a line of its own."""
    with pytest.raises(RequestInvalid, match=r"config\.0: must not contain control characters"):
        parse(command=None, config=f"description x{mark}reload")


def test_options_stay_out_of_other_faults() -> None:
    """A bad `options` is one fault, whatever options stand beside it."""
    with pytest.raises(RequestInvalid) as caught:
        parse(options="x", ttl=1)
    assert [item["loc"] for item in caught.value.details] == [["options"]]


def test_input_is_not_repeated() -> None:
    with pytest.raises(RequestInvalid) as caught:
        parse(connection_args=LOGIN | {"port": "first-secret", "timeout": "first-secret", "host": "first secret"})
    assert len(caught.value.details) == 3
    assert "secret" not in f"{caught.value}{caught.value.details}"


def test_examples_are_valid() -> None:
    assert {MODELS.parse(item["value"]).operation for item in MODELS.examples().values()} == {"command", "config"}


def test_a_secret_that_a_line_repeats_is_sealed_with_the_line() -> None:
    config = ["username admin secret first-secret", "end"]
    driver_args = {"error_pattern": "no first-secret"}
    request = parse(command=None, config=config, driver_args=driver_args)

    assert "first-secret" not in json.dumps(request.public)
    assert request.public["config"] == ["username admin secret ***", "end"]
    assert json.loads(request.secret) == {"connection_args": LOGIN, "config": config, "driver_args": driver_args}
