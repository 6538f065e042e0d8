"""When a delivery that failed is tried again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.webhooks.retries import JITTER, LONGEST_WISH_S, pause_s, retry_after_s

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(("tries", "expected"), [(1, 10), (2, 30), (3, 120), (4, 120), (20, 120)])
def test_the_last_interval_repeats(tries: int, expected: float) -> None:
    assert pause_s([10, 30, 120], tries, None, lambda low, high: (low + high) / 2) == pytest.approx(expected)


@given(st.floats(0, 86_400))
def test_the_jitter_is_bounded(interval: float) -> None:
    pause = pause_s([interval], 1, None)
    assert interval * (1 - JITTER) <= pause <= interval * (1 + JITTER) * 1.000001


@pytest.mark.parametrize(("wish", "expected"), [(5, 10), (50, 50), (1e9, LONGEST_WISH_S)])
def test_a_wish_makes_it_longer_up_to_a_bound(wish: float, expected: float) -> None:
    assert pause_s([10], 1, wish, lambda _low, _high: 1) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("120", 120),
        ("Sat, 31 Jan 2026 12:01:00 GMT", 60),
        ("Sat, 31 Jan 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-5", None),
        ("١٢", None),
        ("9" * 5000, None),
    ],
)
def test_what_receivers_say(header: str | None, expected: float | None) -> None:
    assert retry_after_s(header, NOW) == expected
