"""The table from errors to a job's end."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Reply, Verdict
from drivers.errors import (
    AuthenticationFailed,
    CommandRejected,
    DriverError,
    HostKeyMismatch,
    ReplyTimeout,
    SessionAborted,
    SessionLost,
    Unreachable,
)
from jobs.checks import CheckFailed
from jobs.results import Cancelled, ErrorType, ExecutionTimeout, Expired, Progress, output_row, storable
from jobs.seal import SealBroken


@pytest.mark.parametrize(
    ("error", "kind", "certain"),
    [
        (Unreachable("x"), "Unreachable", True),
        (AuthenticationFailed("x"), "AuthenticationFailed", True),
        (HostKeyMismatch("x"), "HostKeyMismatch", True),
        (CommandRejected("x"), "CommandRejected", True),
        (ReplyTimeout("x"), "ReplyTimeout", False),
        (SessionLost("x"), "ReplyTimeout", False),
        (SessionAborted("x"), "DriverFault", False),
        (ExecutionTimeout("x"), "ExecutionTimeout", False),
        (Cancelled("x"), "Cancelled", False),
        (Expired("x"), "Expired", False),
        (SealBroken("x"), "CredentialError", False),
        (CheckFailed("x"), "CheckFailed", True),
        (DriverError("x"), "DriverFault", False),
        (ValueError("x"), "DriverFault", False),
        (TimeoutError("x"), "DriverFault", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_errors_type_and_what_is_known(error: Exception, kind: str, certain: bool) -> None:
    before, after = Progress().failed(error), Progress(wrote_change=True).failed(error)

    assert before.error_type == kind
    assert before.state == ("cancelled" if kind == "Cancelled" else "failed")
    assert (before.outcome, after.outcome) == ("known", "known" if certain else "unknown")


def test_an_unforeseen_error_does_not_tell_its_text() -> None:
    message = Progress().failed(ValueError("what the client sent")).error_message

    assert message == "The driver failed unexpectedly (ValueError); see the worker's log."


def test_the_logins_secrets_are_masked_in_replies_and_messages() -> None:
    progress = Progress(secrets={"hidden-word"})
    progress.add(Reply("c hidden-word", "o hidden-word", Verdict.DONE, datetime.now(UTC), 0, stderr="e hidden-word"))
    outcome = progress.failed(Unreachable("no hidden-word"))

    assert "hidden-word" not in repr(outcome)
    assert [outcome.outputs[0].stdout, outcome.error_message] == ["o ***", "no ***"]


def test_whatever_a_device_answers_becomes_storable() -> None:
    hostile = {"a\x00": ["\ud800", float("nan"), {"b": float("inf")}, 1.5, 7, True, None]}
    row = output_row(uuid4(), 0, Reply("show x", "", Verdict.DONE, None, 0.0, parsed=hostile))

    assert row["parsed"] == {"a\ufffd": ["?", None, {"b": None}, 1.5, 7, True, None]}


@given(st.text(st.characters()))
def test_any_text_becomes_storable(text: str) -> None:
    stored = storable(text)

    assert "\x00" not in stored
    assert stored.encode().decode() == stored
    assert len(stored) == len(text)


def test_a_skipped_line_has_no_time() -> None:
    row = output_row(uuid4(), 3, Reply("line", "", Verdict.SKIPPED, None, 0.0, exit_status=None))

    assert (row["position"], row["verdict"], row["started_at"], row["exit_status"]) == (3, "skipped", None, None)


def test_the_list_of_error_types_is_closed() -> None:
    assert len(ErrorType) == 15
