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
from jobs.credentials.errors import NoSuchCredential, PathRefused, VaultUnavailable
from jobs.invalid import RequestInvalid
from jobs.results import (
    LONGEST_MESSAGE,
    Cancelled,
    ErrorType,
    ExecutionTimeout,
    Expired,
    Progress,
    Rollback,
    output_row,
    storable,
)
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
        (NoSuchCredential("x"), "CredentialError", True),
        (PathRefused("x"), "CredentialError", True),
        (VaultUnavailable("x"), "VaultUnavailable", True),
        (CheckFailed("x"), "CheckFailed", True),
        (RequestInvalid([{"loc": [], "msg": "x", "type": "value_error"}]), "InvalidRequest", False),
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


@pytest.mark.parametrize("length", [1, LONGEST_MESSAGE, 10 * LONGEST_MESSAGE])
@pytest.mark.parametrize("rollback", Rollback)
def test_what_became_of_the_change_is_said_however_long_the_message(rollback: Rollback, length: int) -> None:
    plain = Progress().failed(CommandRejected("x" * length)).error_message
    told = Progress(rollback=rollback).failed(CommandRejected("x" * length)).error_message

    assert plain == "x" * min(length, LONGEST_MESSAGE)
    assert told is not None
    assert len(told) <= LONGEST_MESSAGE
    said = {"done": "was undone.", "failed": "could not be undone.", "impossible": "on this kind of device."}[rollback]
    assert told.startswith("x")
    assert told.endswith(said)


def test_no_part_of_a_secret_is_left_where_a_message_is_cut() -> None:
    error = CommandRejected("x" * (LONGEST_MESSAGE - 20) + "hidden-word" * 20)
    for rollback in (None, Rollback.DONE):
        assert "hidden" not in str(Progress(secrets={"hidden-word"}, rollback=rollback).failed(error).error_message)


def test_whatever_a_device_answers_becomes_storable() -> None:
    hostile = {"a\x00": ["\ud800", float("nan"), {"b": float("inf")}, 1.5, 7, True, None]}
    row = output_row(uuid4(), 0, Reply("show x", "", Verdict.DONE, None, 0.0, parsed=hostile), Progress())

    assert row["parsed"] == {"a\ufffd": ["?", None, {"b": None}, 1.5, 7, True, None]}


@given(st.text(st.characters()))
def test_any_text_becomes_storable(text: str) -> None:
    stored = storable(text)

    assert "\x00" not in stored
    assert stored.encode().decode() == stored
    assert len(stored) == len(text)


def test_a_skipped_line_has_no_time() -> None:
    row = output_row(uuid4(), 3, Reply("line", "", Verdict.SKIPPED, None, 0.0, exit_status=None), Progress())

    assert (row["position"], row["verdict"], row["started_at"], row["exit_status"]) == (3, "skipped", None, None)


def test_the_list_of_error_types_is_closed() -> None:
    assert len(ErrorType) == 16
