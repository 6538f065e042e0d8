"""How a job ended: the one table from an exception to a job's error type, and the shape of an ended job."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isfinite
from typing import Any
from uuid import UUID

from drivers.base import Reply
from drivers.errors import (
    AuthenticationFailed,
    CommandRejected,
    DriverError,
    HostKeyMismatch,
    ReplyTimeout,
    SessionLost,
    Unreachable,
)
from jobs.checks import CheckFailed
from jobs.credentials.errors import CredentialError, VaultUnavailable
from jobs.invalid import RequestInvalid
from jobs.parsing import ParsingRequired
from jobs.redaction import redact, redact_all
from jobs.rendering import RenderingRefused
from jobs.seal import SealBroken


class ErrorType(StrEnum):
    """Why a job failed: a closed list, part of the API's contract."""

    UNREACHABLE = "Unreachable"
    AUTHENTICATION_FAILED = "AuthenticationFailed"
    HOST_KEY_MISMATCH = "HostKeyMismatch"
    COMMAND_REJECTED = "CommandRejected"
    REPLY_TIMEOUT = "ReplyTimeout"
    EXECUTION_TIMEOUT = "ExecutionTimeout"
    EXPIRED = "Expired"
    CANCELLED = "Cancelled"
    WORKER_LOST = "WorkerLost"
    CREDENTIAL_ERROR = "CredentialError"
    VAULT_UNAVAILABLE = "VaultUnavailable"
    RENDERING_ERROR = "RenderingError"
    PARSING_ERROR = "ParsingError"
    DRIVER_FAULT = "DriverFault"
    CHECK_FAILED = "CheckFailed"
    INVALID_REQUEST = "InvalidRequest"


class Rollback(StrEnum):
    """How it went when a change that failed was to be undone."""

    DONE = "done"
    FAILED = "failed"
    """Nobody knows where it stands: the job's outcome is unknown."""
    IMPOSSIBLE = "impossible"
    """The driver cannot, on this kind of device."""


_UNDONE = {
    Rollback.DONE: "The change was undone.",
    Rollback.FAILED: "The change could not be undone.",
    Rollback.IMPOSSIBLE: "The change stays as it is: this driver cannot undo one on this kind of device.",
}


LONGEST_MESSAGE = 500
"""Characters of an error's message; cut after redaction, so that no part of a secret is left at the end."""


class ExecutionTimeout(Exception):
    """The job ran longer than its `execution_timeout`; its session was aborted."""


class Expired(Exception):
    """The job waited longer than its `ttl`; the device was not touched."""


class Cancelled(Exception):
    """A client asked for the running job to be aborted."""


_TYPES: tuple[tuple[type[BaseException], ErrorType], ...] = (
    (Unreachable, ErrorType.UNREACHABLE),
    (AuthenticationFailed, ErrorType.AUTHENTICATION_FAILED),
    (HostKeyMismatch, ErrorType.HOST_KEY_MISMATCH),
    (CommandRejected, ErrorType.COMMAND_REJECTED),
    (ReplyTimeout, ErrorType.REPLY_TIMEOUT),
    # To its owner the same: it was sent, the answer did not come, a change may have landed.
    (SessionLost, ErrorType.REPLY_TIMEOUT),
    (ExecutionTimeout, ErrorType.EXECUTION_TIMEOUT),
    (Expired, ErrorType.EXPIRED),
    (Cancelled, ErrorType.CANCELLED),
    (SealBroken, ErrorType.CREDENTIAL_ERROR),
    (CredentialError, ErrorType.CREDENTIAL_ERROR),
    (VaultUnavailable, ErrorType.VAULT_UNAVAILABLE),
    (CheckFailed, ErrorType.CHECK_FAILED),
    (RenderingRefused, ErrorType.RENDERING_ERROR),
    (ParsingRequired, ErrorType.PARSING_ERROR),
    (RequestInvalid, ErrorType.INVALID_REQUEST),
)

_ANSWERED = (CommandRejected, CheckFailed)
_SAW_NOTHING = (Unreachable, AuthenticationFailed, HostKeyMismatch, CredentialError, VaultUnavailable)
"""Errors after which it is certain what the device got of a change; the latter, unless they come after it was made."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job ended with."""

    state: str
    outputs: Sequence[Reply] = ()
    error_type: ErrorType | None = None
    error_message: str | None = None
    outcome: str = "known"
    session_reused: bool | None = None
    extra_attempts: int = 0
    difference: str | None = None
    rollback: Rollback | None = None
    confirm_in_s: float | None = None
    rendered: str | None = None
    kept: bool = True
    """False: what the device said, and what it was made to say by a template, does not join the history."""

    def result(self, job_id: UUID) -> dict[str, Any]:
        """One element of finish_jobs' `p_results`."""
        return {
            "id": str(job_id),
            "state": self.state,
            "error_type": self.error_type,
            "error_message": storable(self.error_message) if self.error_message else None,
            "outcome": self.outcome,
            "session_reused": self.session_reused,
            "rendered": storable(self.rendered) if self.rendered is not None and self.kept else None,
            "extra_attempts": self.extra_attempts,
            "difference": storable(self.difference) if self.difference is not None and self.kept else None,
            "rollback": self.rollback,
            "confirm_in_s": self.confirm_in_s,
        }


@dataclass(slots=True)
class Progress:
    """What is known of a running job so far; the session's thread appends to `replies`."""

    secrets: Collection[str] = frozenset()
    replies: list[Reply] = field(default_factory=list)
    session_reused: bool | None = None
    wrote_change: bool = False
    """True once a change may have reached the device."""
    extra_attempts: int = 0
    difference: str | None = None
    """What a change makes different, as the device tells."""
    rollback: Rollback | None = None
    confirm_in_s: float | None = None
    """Seconds for which the change waits to be confirmed, from the job's end on."""
    changed: bool = False
    """The change is made: nothing may be attempted again, whatever comes."""
    rendered: str | None = None
    """What was to be sent, where a template made it."""
    kept: bool = True
    """See Outcome."""
    undo_on_new_session: bool = False
    """If the session breaks off now, the change is to be undone on another one."""

    def add(self, reply: Reply) -> None:
        """Keep a reply, without the login's own secrets."""
        self.replies.append(self.redacted(reply))

    def redacted(self, reply: Reply) -> Reply:
        """`reply` without the login's own secrets."""
        return replace(
            reply,
            command=redact(reply.command, self.secrets),
            stdout=redact(reply.stdout, self.secrets),
            stderr=redact(reply.stderr, self.secrets),
            parsed=redact_all(reply.parsed, self.secrets),
        )

    def finished(self) -> Outcome:
        """The job did what it was asked."""
        return self._outcome("finished")

    def failed(self, error: BaseException) -> Outcome:
        """The job ended with `error`."""
        certain = not self.wrote_change or isinstance(error, _ANSWERED if self.changed else _ANSWERED + _SAW_NOTHING)
        return self._outcome(
            "cancelled" if isinstance(error, Cancelled) else "failed",
            error_type=type_of(error),
            error_message=self._message(error),
            outcome=self._outcome_of_undoing() or ("known" if certain else "unknown"),
        )

    def _message(self, error: BaseException) -> str:
        message = redact(message_of(error), self.secrets)
        if self.rollback is None:
            return message[:LONGEST_MESSAGE]
        undone = f". {_UNDONE[self.rollback]}"  # whatever else is cut off
        return message.removesuffix(".")[: LONGEST_MESSAGE - len(undone)] + undone

    def _outcome_of_undoing(self) -> str | None:
        if self.rollback is None or self.rollback is Rollback.IMPOSSIBLE:
            return None
        return "known" if self.rollback is Rollback.DONE else "unknown"

    def _outcome(self, state: str, **fields: Any) -> Outcome:
        return Outcome(
            state,
            tuple(self.replies),
            session_reused=self.session_reused,
            extra_attempts=self.extra_attempts,
            difference=None if self.difference is None else redact(self.difference, self.secrets),
            rollback=self.rollback,
            confirm_in_s=self.confirm_in_s,
            rendered=None if self.rendered is None else redact(self.rendered, self.secrets),
            kept=self.kept,
            **fields,
        )


def type_of(error: BaseException) -> ErrorType:
    """The job error type for `error`; whatever nobody foresaw is a DriverFault."""
    return next((kind for cls, kind in _TYPES if isinstance(error, cls)), ErrorType.DRIVER_FAULT)


def message_of(error: BaseException) -> str:
    """A sentence for the job. An unforeseen error tells its class only: its text may hold anything."""
    foreseen = isinstance(error, DriverError) or any(isinstance(error, cls) for cls, _ in _TYPES)
    return str(error) if foreseen else f"The driver failed unexpectedly ({type(error).__name__}); see the worker's log."


def storable(text: str) -> str:
    """`text` as PostgreSQL can keep it: no NUL (not part of its text type), no lone surrogates."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def storable_json(value: Any) -> Any:
    """A JSON value as PostgreSQL can keep it: its texts `storable`, and no number that JSON lacks."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, list):
        return [storable_json(inner) for inner in value]
    if isinstance(value, dict):
        return {storable(name): storable_json(inner) for name, inner in value.items()}
    return value


def output_row(job_id: UUID, position: int, reply: Reply, of: Outcome | Progress) -> dict[str, Any]:
    """One element of `p_outputs` (see save_outputs.sql)."""
    row = {
        "job_id": str(job_id),
        "position": position,
        "command": storable(reply.command),
        "verdict": reply.verdict,
        "stdout": storable(reply.stdout),
        "stderr": storable(reply.stderr),
        "exit_status": reply.exit_status,
        "parsed": storable_json(reply.parsed),
        "started_at": reply.started_at.isoformat() if reply.started_at else None,
        "duration_s": reply.duration_s,
        "phase": reply.phase,
        "parsing_error": reply.parsing_error,
    }
    return row if of.kept else row | _withheld(row, of)


def _withheld(row: dict[str, Any], of: Outcome | Progress) -> dict[str, Any]:
    """What stands in the place of texts that are not kept."""
    nothing = {"stdout": None, "stderr": "", "parsed": None, "parsing_error": None}
    templated = of.rendered is not None and row["phase"] in ("main", "undo")
    return nothing | {"size_bytes": len(row["stdout"].encode()), "command": "" if templated else row["command"]}
