"""A schedule as people say it: the same rules for the API and the command line."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field

from drivers.base import Arguments
from jobs.ticks import LONGEST, LONGEST_ZONE

Overlap: TypeAlias = Literal["skip", "queue"]
Missed: TypeAlias = Literal["skip", "once"]

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def is_name(name: str) -> bool:
    """Whether a schedule may be called that."""
    return _NAME.fullmatch(name) is not None


def _name(name: str) -> str:
    if not is_name(name):
        raise ValueError("must be at most 63 of a-z 0-9 . _ and -, beginning with a letter or a digit")
    return name


Name = Annotated[str, AfterValidator(_name)]
Cron = Annotated[str, Field(max_length=LONGEST)]
Zone = Annotated[str, Field(max_length=LONGEST_ZONE)]


class ScheduleEntry(Arguments):
    """A schedule to make."""

    name: Name
    cron: Cron
    """Five fields: minute, hour, day of month, month, day of week."""
    timezone: Zone = "UTC"
    """By what clock: a name of the IANA database, such as `Europe/Berlin`."""
    request: dict[str, Any]
    """A body of `/device/execute`, or with `devices` of `/device/bulk`; its login is a `credential_ref`."""
    enabled: bool = True
    overlap: Overlap = "skip"
    """When it is due while jobs of its last firing have not ended: skip it, or queue more."""
    missed: Missed = "skip"
    """When it was due and nobody was there to see: skip it, or make up for all of it once."""


class ScheduleChange(Arguments):
    """What is to be changed of a schedule; what is left out stays."""

    name: Name = ""
    cron: Cron = ""
    timezone: Zone = ""
    request: dict[str, Any] = Field(default_factory=dict)
    enabled: bool = True
    overlap: Overlap = "skip"
    missed: Missed = "skip"

    @property
    def given(self) -> dict[str, Any]:
        """By name, what is to be changed."""
        return {name: getattr(self, name) for name in self.model_fields_set}
