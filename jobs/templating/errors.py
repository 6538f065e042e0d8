"""What can go wrong with a template. Messages are one sentence; they never repeat a value that came from outside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

LONGEST = 500
"""Characters of a message, and of a name."""


class TemplateError(Exception):
    """A template was not rendered, or a text not parsed. `line`: of the template. `name`: of a variable or filter."""

    kind: ClassVar[str] = "failed"

    def __init__(self, message: str, *, line: int | None = None, name: str | None = None) -> None:
        super().__init__(message)
        self.message, self.line, self.name = message, line, name

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


class RenderingFailed(TemplateError):
    """The template is not valid, or does not fit its context."""

    kind = "rendering"


class ParsingFailed(TemplateError):
    """The parsing template or pattern is not valid, or refuses the text."""

    kind = "parsing"


class TemplateNotFound(TemplateError):
    """No template of that platform and command."""

    kind = "missing"


class TemplateRefused(TemplateError):
    """The task as it stands is never run: an unknown engine, a field of the wrong kind, code without a sandbox."""

    kind = "refused"


class LimitExceeded(TemplateError):
    """The template wanted more than it may have."""


class TimeExceeded(LimitExceeded):
    """It did not end in time."""

    kind = "time"


class MemoryExceeded(LimitExceeded):
    """It wanted more memory than it may have."""

    kind = "memory"


class SizeExceeded(LimitExceeded):
    """The task or its result is larger, or nested deeper, than allowed."""

    kind = "size"


class ChildLost(TemplateError):
    """The child that ran it ended, or answered nonsense."""

    kind = "lost"


class NoChildFree(TemplateError):
    """All children stayed busy for too long, or the pool is closed. The task was not begun: it may be tried again."""

    kind = "busy"


_BY_KIND: Mapping[str, type[TemplateError]] = {
    each.kind: each for each in (RenderingFailed, ParsingFailed, TemplateRefused, MemoryExceeded, SizeExceeded)
}


def as_json(error: TemplateError) -> dict[str, Any]:
    """For the way from a child to its parent."""
    return {"kind": error.kind, "message": error.message, "line": error.line, "name": error.name}


def from_json(said: Any) -> TemplateError:
    """The error that a child reports. The child is not trusted: what is not of the form is `ChildLost`."""
    match said:
        case {"kind": str(kind), "message": str(message), "line": line, "name": name} if kind in _BY_KIND:
            known_line = line if type(line) is int and 0 < line < 2**31 else None
            known_name = _clean(name) if isinstance(name, str) else None
            return _BY_KIND[kind](_clean(message), line=known_line, name=known_name)
    return ChildLost("the child process gave no valid answer")


def _clean(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text[:LONGEST])
