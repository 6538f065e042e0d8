"""The one shape of every answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Envelope(Generic[T]):
    """A success."""

    data: T
    code: int = 200
    message: str = "success"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a body or a query."""

    loc: list[str | int]
    msg: str
    type: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure: `message` is one sentence that a person can act on, `data` its details."""

    message: str
    data: list[Fault] | None = None
    code: int = -1


@dataclass(frozen=True, slots=True)
class Problem(Exception):
    """A failure that a handler found. `headers` go along with the answer."""

    status: int
    message: str
    data: list[dict[str, Any]] | None = None
    headers: dict[str, str] = field(default_factory=dict)
