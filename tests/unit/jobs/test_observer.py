"""Who is silent: by the observer's own clock, and only while it looked all the time."""

from hypothesis import given
from hypothesis import strategies as st

from jobs.chores import Observer

DEAD_S, BLIND_S = 20.0, 7.0

steps = st.lists(
    st.tuples(st.floats(min_value=0.1, max_value=15), st.dictionaries(st.integers(1, 4), st.integers(0, 2))),
    max_size=40,
)


@given(steps)
def test_silent_is_who_was_seen_unchanged_for_long_enough_without_a_gap(
    steps: list[tuple[float, dict[int, int]]],
) -> None:
    observer = Observer(DEAD_S, BLIND_S)
    looks: list[tuple[float, dict[int, int]]] = []
    now = 1000.0
    for pause, beats in steps:
        now += pause
        looks.append((now, beats))
        silent = observer.look(beats, now)

        assert silent == {worker: beat for worker, beat in beats.items() if _silent_s(looks, worker) > DEAD_S}


def _silent_s(looks: list[tuple[float, dict[int, int]]], worker: int) -> float:
    """How long the newest looks, without a gap between them, have shown the same beat of `worker`."""
    last, beats = looks[-1]
    since = last
    for at, seen in reversed(looks):
        if since - at > BLIND_S or seen.get(worker) != beats[worker]:
            break
        since = at
    return last - since


def test_a_worker_that_never_beats_is_silent_after_a_while() -> None:
    observer = Observer(DEAD_S, BLIND_S)
    verdicts = [observer.look({1: 0}, 100.0 + 5 * step) for step in range(6)]

    assert verdicts == [{}, {}, {}, {}, {}, {1: 0}]


def test_after_an_outage_nobody_is_silent_yet() -> None:
    observer = Observer(DEAD_S, BLIND_S)
    observer.look({1: 7}, 100.0)

    assert observer.look({1: 7}, 500.0) == {}
