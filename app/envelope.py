"""The one shape of every answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Envelope(Generic[T]):
    """A success."""

    code: int = field(default=200, init=False)
    message: str = field(default="success", init=False)
    data: T


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a body or a query."""

    loc: list[str | int]
    msg: str
    type: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure: `message` is one sentence that a person can act on, `data` its details."""

    code: int = field(default=-1, init=False)
    message: str
    data: list[Fault] | None = None


@dataclass(eq=False)  # not frozen: Python sets the traceback of an exception that passes a context manager
class Problem(Exception):
    """A failure that a handler found. `headers` go along with the answer."""

    status: int
    message: str
    data: list[dict[str, Any]] | None = None
    headers: dict[str, str] = field(default_factory=dict)


def invalid(loc: list[str], message: str, kind: str = "value_error") -> Problem:
    """A 400 for the one fault at `loc`; empty: in the body as a whole."""
    sentence = f"{'.'.join(loc)}: {message}." if loc else f"{message}."
    return Problem(400, sentence, [{"loc": loc, "msg": message, "type": kind}])
