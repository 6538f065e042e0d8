"""The fence: open while heartbeats are confirmed, and never again after that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import LeaseLost
from jobs.fence import Fence, now

LIMIT_S = 1000.0


def test_open_at_first_and_while_beats_are_confirmed() -> None:
    fence = Fence(LIMIT_S)
    fence.check()
    fence.confirm(now() - LIMIT_S + 60)
    fence.check()


def test_closed_by_silence_counted_from_when_the_beat_was_sent() -> None:
    fence = Fence(LIMIT_S)
    fence.confirm(now() - LIMIT_S)

    assert not fence.is_open
    with pytest.raises(LeaseLost):
        fence.check()


def test_closed_when_postgresql_says_so() -> None:
    fence = Fence(LIMIT_S)
    fence.close()
    fence.confirm(now())

    with pytest.raises(LeaseLost):
        fence.check()


@given(st.lists(st.floats(min_value=0, max_value=2 * LIMIT_S)))
def test_once_seen_closed_it_stays_closed(ages: list[float]) -> None:
    fence = Fence(LIMIT_S)
    seen = []
    for age in ages:
        fence.confirm(now() - age)
        seen.append(fence.is_open)

    assert seen == sorted(seen, reverse=True)
