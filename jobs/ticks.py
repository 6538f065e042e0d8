"""When a schedule is due: cron's five fields in a time zone, with daylight saving as Debian's cron has it.

A time that a change to summer time leaves out is due right after it; one that a change back brings twice, the first
time only. Where the minute or the hour begins with a star, the clock alone counts: what is due every hour is due in
every hour that passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from jobs.invalid import RequestInvalid

LONGEST = 200
"""Characters of a cron expression."""

LONGEST_ZONE = 64
_FIELDS = 5
_SOMETIME = datetime(2026, 1, 1, tzinfo=UTC)


class Ticks:
    """The moments at which a schedule is due. All moments are aware, those that come out in UTC."""

    def __init__(self, cron: str, timezone: str) -> None:
        """Raises RequestInvalid that names `cron` or `timezone`."""
        self._zone = _zone(timezone)
        self._cron = cron
        if len(cron) > LONGEST or len(cron.split()) != _FIELDS:
            raise _fault("cron", "must be five fields: minute, hour, day of month, month, day of week")
        try:
            first = next(self._from(_SOMETIME), None)
        except CronSimError as error:
            raise _fault("cron", _explained(error, cron)) from None
        if first is None:
            raise _fault("cron", "there is no such day: it would never be due")

    def after(self, moment: datetime) -> datetime | None:
        """The first one later than `moment`; None: there is none within 50 years."""
        # An hour that comes twice has local times that look later, and are earlier.
        return next((tick for tick in self._from(moment) if tick > moment), None)

    def _from(self, moment: datetime) -> Iterator[datetime]:
        return (tick.astimezone(UTC) for tick in CronSim(self._cron, moment.astimezone(self._zone)))


def _zone(name: str) -> ZoneInfo:
    try:
        if len(name) <= LONGEST_ZONE:
            return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # OSError: a folder of zones, such as Europe
        pass
    raise _fault("timezone", "no such time zone; give a name such as Europe/Berlin or UTC")


def _explained(error: CronSimError, cron: str) -> str:
    """Which field is wrong. The library's own words for it are `Bad minute` and the like."""
    field = str(error).removeprefix("Bad ").replace("-", " ")
    if field == "day of month" and _is_never(cron):
        return "there is no such day: it would never be due"
    return f"the {field} is not valid"


def _is_never(cron: str) -> bool:
    """Whether the days would do in other months: the library calls 30 February a bad day."""
    minute, hour, day, _month, weekday = cron.split()
    try:
        CronSim(f"{minute} {hour} {day} * {weekday}", _SOMETIME)
    except CronSimError:
        return False
    return True


def _fault(field: str, message: str) -> RequestInvalid:
    return RequestInvalid([{"loc": [field], "msg": message, "type": "value_error"}])
