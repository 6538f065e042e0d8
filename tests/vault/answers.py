"""What Vault says, and in which form.

Sources: https://developer.hashicorp.com/vault/api-docs (status codes, the form of errors) and the answers of Vault 1.15
and later, whose refusals tell a token that is not known from a policy that does not allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body; None: no body at all."""

    status: int
    body: Json | None = None


class Refusal(Exception):
    """An answer that says no."""

    def __init__(self, status: int, *errors: str, data: Json | None = None) -> None:
        super().__init__(status, errors)
        self.answer = Answer(status, {"errors": errors} if data is None else secret(data))


def secret(data: Json | None = None, *, auth: Json | None = None) -> Json:
    """The envelope around every successful answer but those below sys/."""
    return {
        "request_id": str(uuid4()),
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": data,
        "wrap_info": None,
        "warnings": None,
        "auth": auth,
    }


def not_found() -> Refusal:
    return Refusal(404)


def denied_by_policy() -> Refusal:
    return Refusal(403, "1 error occurred:\n\t* permission denied\n\n")


def denied_to_token() -> Refusal:
    return Refusal(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")


def timestamp(seconds: float | None) -> str:
    """RFC 3339 with nine digits, as Go writes it; "" for None."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
