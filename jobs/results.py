"""How a job ended: the one table from an exception to a job's error type, and the shape of an ended job."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
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
from jobs.redaction import redact
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
)

_SAW_NOTHING_MORE = (CommandRejected, Unreachable, AuthenticationFailed, HostKeyMismatch)
"""Errors after which it is certain what the device got of a change."""


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

    def result(self, job_id: UUID) -> dict[str, Any]:
        """One element of finish_jobs' `p_results`."""
        return {
            "id": str(job_id),
            "state": self.state,
            "error_type": self.error_type,
            "error_message": storable(self.error_message) if self.error_message else None,
            "outcome": self.outcome,
            "session_reused": self.session_reused,
            "rendered": None,
            "extra_attempts": self.extra_attempts,
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

    def add(self, reply: Reply) -> None:
        """Keep a reply, without the login's own secrets."""
        self.replies.append(
            replace(
                reply,
                command=redact(reply.command, self.secrets),
                stdout=redact(reply.stdout, self.secrets),
                stderr=redact(reply.stderr, self.secrets),
            )
        )

    def finished(self) -> Outcome:
        """The job did what it was asked."""
        return Outcome(
            "finished", tuple(self.replies), session_reused=self.session_reused, extra_attempts=self.extra_attempts
        )

    def failed(self, error: BaseException) -> Outcome:
        """The job ended with `error`."""
        certain = not self.wrote_change or isinstance(error, _SAW_NOTHING_MORE)
        return Outcome(
            "cancelled" if isinstance(error, Cancelled) else "failed",
            tuple(self.replies),
            error_type=type_of(error),
            error_message=redact(message_of(error), self.secrets)[:LONGEST_MESSAGE],
            outcome="known" if certain else "unknown",
            session_reused=self.session_reused,
            extra_attempts=self.extra_attempts,
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


def output_row(job_id: UUID, position: int, reply: Reply) -> dict[str, Any]:
    """One element of `p_outputs` (see save_outputs.sql)."""
    return {
        "job_id": str(job_id),
        "position": position,
        "command": storable(reply.command),
        "verdict": reply.verdict,
        "stdout": storable(reply.stdout),
        "stderr": storable(reply.stderr),
        "exit_status": reply.exit_status,
        "parsed": None,
        "started_at": reply.started_at.isoformat() if reply.started_at else None,
        "duration_s": reply.duration_s,
    }
