"""Placement policies: what holds for all of them, and what each is for."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.placement import BUILT_IN, Candidate, UnknownPolicy, load_policy

workers = st.lists(
    st.builds(
        Candidate,
        worker_id=st.integers(1, 10_000),
        capacity=st.integers(1, 50),
        devices=st.integers(0, 60),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda candidate: candidate.worker_id,
)


@pytest.mark.parametrize("name", BUILT_IN)
@given(candidates=workers, count=st.integers(0, 200), seed=st.integers())
def test_every_device_gets_a_worker_and_none_is_overfilled_while_another_has_room(
    name: str, candidates: list[Candidate], count: int, seed: int
) -> None:
    chosen = BUILT_IN[name](candidates, count, Random(seed))
    given_out = Counter(chosen)
    room = sum(candidate.free for candidate in candidates)
    assert len(chosen) == count
    assert given_out.keys() <= {candidate.worker_id for candidate in candidates}
    beyond = sum(max(given_out[candidate.worker_id] - candidate.free, 0) for candidate in candidates)
    assert beyond == max(count - room, 0)


def test_greedy_fills_the_oldest_first() -> None:
    candidates = [Candidate(2, 10, 0), Candidate(1, 10, 8)]
    assert BUILT_IN["greedy"](candidates, 4, Random(0)) == [1, 1, 2, 2]


@pytest.mark.parametrize("name", ["least_load", "least_load_random"])
def test_least_load_evens_out(name: str) -> None:
    candidates = [Candidate(1, 100, 40), Candidate(2, 100, 10), Candidate(3, 100, 0)]
    given_out = Counter(BUILT_IN[name](candidates, 70, Random(0)))
    assert [candidate.devices + given_out[candidate.worker_id] for candidate in candidates] == [40, 40, 40]


def test_least_load_random_does_not_always_pick_the_same_of_equals() -> None:
    candidates = [Candidate(number, 10, 0) for number in range(5)]
    assert len({BUILT_IN["least_load_random"](candidates, 1, Random(seed))[0] for seed in range(50)}) > 1


def test_load_weighted_random_follows_the_room_that_is_left() -> None:
    candidates = [Candidate(1, 1000, 900), Candidate(2, 1000, 100)]
    given_out = Counter(BUILT_IN["load_weighted_random"](candidates, 500, Random(1)))
    assert 5 < given_out[2] / given_out[1] < 15


def test_an_unknown_policy_names_the_known_ones() -> None:
    with pytest.raises(UnknownPolicy, match="greedy, least_load, least_load_random, load_weighted_random"):
        load_policy("best")
