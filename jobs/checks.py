"""Conditions on what a device says before and after a change."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from drivers.base import Arguments, Reply
from jobs.lines import Line
from jobs.parsing import Parsing, has_record

MOST_CHECKS = 50

Text = Annotated[str, Field(min_length=1, max_length=4096)]


class CheckFailed(Exception):
    """What the device said is not what the request asked for."""


class Check(Arguments):
    """A command, and what its output must or must not contain."""

    command: Line
    contains: Text | None = None
    """Literal text that must occur in the output."""
    not_contains: Text | None = None
    """Literal text that must not."""
    parsing: Parsing | None = None
    """Make records of the output, for `record` and `no_record`."""
    record: dict[str, Any] | None = None
    """One of the records must have all of these values."""
    no_record: dict[str, Any] | None = None
    """None of them may."""

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        by_record = self.record is not None or self.no_record is not None
        if self.contains is None and self.not_contains is None and not by_record:
            raise ValueError("contains, not_contains, record or no_record is needed: a check must be able to fail")
        if by_record != (self.parsing is not None):
            raise ValueError("parsing goes with record or no_record")
        return self

    def complaint(self, reply: Reply) -> str | None:
        """What is wrong with the answer, and with its records in `parsed`; None if nothing is."""
        return self._complaint_of_text(reply) or self._complaint_of_records(reply)

    def _complaint_of_records(self, reply: Reply) -> str | None:
        if reply.parsing_error is not None:
            return f"the output of {self.command!r} could not be parsed: {reply.parsing_error}"
        records = reply.parsed if isinstance(reply.parsed, list) else []
        if self.record is not None and not has_record(records, self.record):
            return f"no record of {self.command!r} has {', '.join(self.record)} as wanted"
        if self.no_record is not None and has_record(records, self.no_record):
            return f"a record of {self.command!r} has {', '.join(self.no_record)} as not wanted"
        return None

    def _complaint_of_text(self, reply: Reply) -> str | None:
        if self.contains is not None and self.contains not in reply.stdout:
            return f"the output of {self.command!r} does not contain {self.contains!r}"
        if self.not_contains is not None and self.not_contains in reply.stdout:
            return f"the output of {self.command!r} contains {self.not_contains!r}"
        return None


Some = Annotated[list[Check], Field(max_length=MOST_CHECKS)]


class Checks(Arguments):
    """What must hold around a change. All of a phase's commands are run, in order."""

    before: Some = Field(default_factory=list)
    """If one fails, nothing is changed."""
    after: Some = Field(default_factory=list)
    """If one fails, the change is undone where the driver can, and the job says what happened."""
