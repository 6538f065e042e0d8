"""Getters and commands on a driver object in memory, and what its failures mean."""

import json
import math
from typing import Any

import pytest

from drivers.base import Reply, Verdict
from drivers.errors import (
    AuthenticationFailed,
    CommandRejected,
    DriverError,
    LeaseLost,
    ReplyTimeout,
    SessionLost,
    TooLarge,
    Unreachable,
)
from drivers.napalm import NapalmConnection, NapalmQuery
from drivers.napalm.failure import call_failure, fatal, login_failure
from drivers.napalm.nxos import HeldNxos
from drivers.napalm.platforms import platform
from drivers.napalm.queries import Query
from drivers.netmiko.transcript import LONGEST_OUTPUT


class FakeDriver:
    """Answers `get_facts` and commands with what it was given; raises that if it is an exception."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.given: dict[str, Any] = {}

    def get_facts(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def get_route_to(self, **given: Any) -> Any:
        self.given = given
        return {}

    def cli(self, commands: list[str], encoding: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return dict.fromkeys(commands, self.answer)


def run(driver: FakeDriver, *commands: str, name: str = "eos", **args: Any) -> tuple[list[Reply], DriverError | None]:
    """The replies, and the error if it was a refusal."""
    replies: list[Reply] = []
    try:
        Query(platform(name), driver, NapalmQuery(**args), replies.append).run(commands)
    except CommandRejected as error:
        return replies, error
    return replies, None


def chained(outer: Exception, inner: Exception) -> Exception:
    """As NAPALM wraps: `outer` raised while `inner` was handled."""
    try:
        try:
            raise inner
        except type(inner):
            raise outer  # noqa: B904 (that is how they do it)
    except type(outer) as error:
        return error


@pytest.mark.parametrize(
    ("answer", "parsed"),
    [
        ({"uptime": math.nan, 1: (2, 3)}, {"uptime": None, "1": [2, 3]}),
        ([], []),
        ({"address": frozenset()}, {"address": "frozenset()"}),
    ],
)
def test_what_a_getter_returns_is_json(answer: Any, parsed: Any) -> None:
    [reply], error = run(FakeDriver(answer), "get_facts")
    assert error is None
    assert reply.parsed == parsed
    assert json.loads(reply.stdout) == parsed


def test_arguments_go_to_those_that_take_them() -> None:
    driver = FakeDriver({})
    replies, error = run(driver, "get_facts", "get_route_to", destination="10.0.0.0/8", longer=True)
    assert error is None
    assert len(replies) == 2
    assert driver.given == {"destination": "10.0.0.0/8", "longer": True}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NotImplementedError(), "cannot do this, or not so"),
        (KeyError("secret"), "could not make sense of what the device answered (KeyError)"),
        ("Please specify a destination", "Please specify a destination"),
    ],
)
def test_getters_that_are_refused(answer: Any, said: str) -> None:
    [reply], error = run(FakeDriver(answer), "get_facts")
    assert reply.verdict is Verdict.REFUSED
    assert reply.exit_status == 1
    assert said in reply.stderr
    assert str(error) == "1 of 1 commands were refused, the first: get_facts"


def test_an_answer_that_is_too_long() -> None:
    with pytest.raises(TooLarge):
        run(FakeDriver("x" * (LONGEST_OUTPUT + 1)), "show everything")


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (chained(RuntimeError("wrapped"), LeaseLost("lost")), LeaseLost),
        (chained(RuntimeError("wrapped"), TimeoutError()), ReplyTimeout),
        (chained(RuntimeError("wrapped"), ConnectionResetError()), SessionLost),
        (EOFError(), SessionLost),
    ],
)
def test_what_ends_a_session_is_found_below_what_napalm_wraps_around_it(
    error: Exception, meaning: type[DriverError]
) -> None:
    cause = fatal(error)
    assert cause is not None
    with pytest.raises(type(cause)) as raised:  # the library's own, for the session to translate
        run(FakeDriver(error), "show version")
    assert type(call_failure(raised.value, "r1:443", 5)) is meaning


def test_failures_quote_nothing() -> None:
    error = RuntimeError("a-password")
    assert fatal(error) is None
    assert "a-password" not in str(call_failure(error, "r1:443", 5))
    assert "a-password" not in str(login_failure(error, "r1:443"))


def test_failed_logins() -> None:
    class ConnectAuthError(Exception): ...

    assert isinstance(login_failure(ConnectAuthError(), "r1:830"), AuthenticationFailed)
    assert isinstance(login_failure(chained(RuntimeError(), OSError()), "r1:830"), Unreachable)


@pytest.mark.parametrize(
    ("command", "fine"),
    [
        ("show log | match error", True),
        ("show log | match ge-0/0/0 | count", True),
        ("show log | match (a+)+$", False),
        ("show log | last 5 |except  .*", False),
        ("show log | find [a-z]", False),
    ],
)
def test_junos_pipes_take_no_regular_expressions(command: str, fine: bool) -> None:
    [reply], _ = run(FakeDriver("text"), command, name="junos")
    assert (reply.verdict is Verdict.DONE) is fine


def test_nxapi_speaks_over_our_transport() -> None:
    class Transport:
        sent: list[Any]

        def post(self, data: str, content_type: str) -> Any:
            self.sent = json.loads(data)
            answer = {"jsonrpc": "2.0", "result": {"body": {"hostname": "n9k"}}, "id": 1}
            return type("Response", (), {"status_code": 200, "text": json.dumps(answer)})

    transport = Transport()
    where = {"device_type": "nxos", "host": "192.0.2.1", "username": "a", "password": "b"}
    driver = HeldNxos(transport, NapalmConnection.model_validate(where).canonical())  # type: ignore[arg-type]
    assert driver._send_command("show hostname") == {"hostname": "n9k"}
    assert transport.sent[0]["params"]["cmd"] == "show hostname"
