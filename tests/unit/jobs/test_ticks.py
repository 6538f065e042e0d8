"""When schedules are due, above all on the days on which the clock changes."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.invalid import RequestInvalid
from jobs.ticks import Ticks

BERLIN = "Europe/Berlin"  # to summer time on 2026-03-29 at 01:00 UTC, back on 2026-10-25 at 01:00 UTC
SPRING = datetime(2026, 3, 28, 23, tzinfo=UTC)
AUTUMN = datetime(2026, 10, 24, 22, tzinfo=UTC)
MOMENTS = st.integers(0, 2 * 365 * 86_400).map(lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


def ticks(cron: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """The next `count` ones."""
    found: list[datetime] = []
    schedule = Ticks(cron, zone)
    while len(found) < count:
        tick = schedule.after(found[-1] if found else after)
        assert tick is not None
        found.append(tick)
    return found


def said(cron: str, zone: str, after: datetime, count: int) -> list[str]:
    return [f"{tick:%d %H:%M}" for tick in ticks(cron, zone, after, count)]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("30 2 * * *", ["29 01:00", "30 00:30", "31 00:30"]),
        ("10,40 2 * * *", ["29 01:00", "30 00:10", "30 00:40"]),
        ("15 2,3 * * *", ["29 01:00", "29 01:15", "30 00:15"]),
        ("0 * * * *", ["29 00:00", "29 01:00", "29 02:00"]),
        ("*/30 * * * *", ["28 23:30", "29 00:00", "29 00:30"]),
        ("*/20 2 * * *", ["30 00:00", "30 00:20", "30 00:40"]),  # a star: the clock alone counts
    ],
)
def test_a_time_that_does_not_exist_is_due_right_after(cron: str, expected: list[str]) -> None:
    assert said(cron, BERLIN, SPRING, 3) == expected


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("30 2 * * *", ["25 00:30", "26 01:30", "27 01:30"]),
        ("0 2,3 * * *", ["25 00:00", "25 02:00", "26 01:00"]),
        ("0 * * * *", ["24 23:00", "25 00:00", "25 01:00", "25 02:00"]),
        ("*/20 2 * * *", ["25 00:00", "25 00:20", "25 00:40", "25 01:00", "25 01:20", "25 01:40", "26 01:00"]),
    ],
)
def test_a_time_that_exists_twice(cron: str, expected: list[str]) -> None:
    assert said(cron, BERLIN, AUTUMN, len(expected)) == expected


@pytest.mark.parametrize("minute", range(60))
def test_in_the_hour_that_comes_again_nothing_is_due_again(minute: int) -> None:
    again = datetime(2026, 10, 25, 1, minute, tzinfo=UTC)
    assert said("30 2 * * *", BERLIN, again, 1) == ["26 01:30"]


@given(
    cron=st.sampled_from(
        [
            "* * * * *",
            "*/7 * * * *",
            "0 * * * *",
            "30 2 * * *",
            "15 1-3 * * *",
            "0 0 * * *",
            "5 0,2,3 * * 0",
            "0 1 1 * 1",
        ]
    ),
    zone=st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo"]),
    after=MOMENTS,
    later_s=st.integers(0, 3 * 86_400),
)
def test_later_moments_have_later_ticks(cron: str, zone: str, after: datetime, later_s: int) -> None:
    """Asked at any moment between two ticks, the next one is the same: no tick is missed or comes again."""
    schedule = Ticks(cron, zone)
    first = schedule.after(after)
    assert first is not None
    assert after < first
    assert first.second == first.microsecond == 0
    later = after + timedelta(seconds=later_s)
    second = schedule.after(later)
    assert second is not None
    assert second == first if later < first else second > first


@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    zone=st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe"]),
    after=MOMENTS,
)
def test_hourly_ones_go_by_the_clock(minutes: set[int], zone: str, after: datetime) -> None:
    """Against the simplest rule: minute by minute, look at the wall."""
    wall = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while wall.astimezone(ZoneInfo(zone)).minute not in minutes:
        wall += timedelta(minutes=1)
    assert Ticks(f"{','.join(map(str, minutes))} * * * *", zone).after(after) == wall


@pytest.mark.parametrize(
    ("cron", "complaint"),
    [
        ("60 * * * *", "cron: the minute is not valid"),
        ("* 24 * * *", "cron: the hour is not valid"),
        ("* * 32 * *", "cron: the day of month is not valid"),
        ("* * 0 * *", "cron: the day of month is not valid"),
        ("* * * 13 *", "cron: the month is not valid"),
        ("* * * * 8", "cron: the day of week is not valid"),
        ("*/0 * * * *", "cron: the minute is not valid"),
        ("* * * *", "cron: must be five fields: minute, hour, day of month, month, day of week"),
        ("0 * * * * *", "cron: must be five fields: minute, hour, day of month, month, day of week"),
        ("@daily", "cron: must be five fields: minute, hour, day of month, month, day of week"),
        ("", "cron: must be five fields: minute, hour, day of month, month, day of week"),
        ("1," * 100 + "1 * * * *", "cron: must be five fields: minute, hour, day of month, month, day of week"),
        ("0 0 30 2 *", "cron: there is no such day: it would never be due"),
        ("0 0 31 4,6 *", "cron: there is no such day: it would never be due"),
    ],
)
def test_bad_expressions(cron: str, complaint: str) -> None:
    with pytest.raises(RequestInvalid) as raised:
        Ticks(cron, "UTC")
    assert str(raised.value) == complaint


@pytest.mark.parametrize(
    "zone", ["", "Mars/Base", "Europe", "../etc/passwd", "/etc/passwd", "Europe/Berlin\0", "z" * 65]
)
def test_unknown_zones(zone: str) -> None:
    with pytest.raises(
        RequestInvalid, match=r"^timezone: no such time zone; give a name such as Europe/Berlin or UTC$"
    ):
        Ticks("0 0 * * *", zone)


@given(st.text("0123456789*/,-#LWMONJA ", max_size=24))
def test_any_text_is_a_schedule_or_a_fault(cron: str) -> None:
    schedule = None
    with suppress(RequestInvalid):
        schedule = Ticks(cron, BERLIN)
    tick = None if schedule is None else schedule.after(SPRING)
    assert tick is None or tick > SPRING
