"""Changes: what comes into force, what does not, and how it is taken back."""

import pytest

from drivers.base import Verdict
from drivers.errors import CommandRejected, LeaseLost
from tests.integration.conformance.bench import NAME, Bench
from tests.integration.conformance.examine import examine
from tests.integration.conformance.subjects import SUBJECTS, able, asked
from tests.integration.conformance.test_reading import answers_well
from tests.waiting import until

LONG_S = 3600
"""Until a change is undone by the device: not in these tests."""

_HISTORY = ("show configuration sessions", "show system commit")


@examine(SUBJECTS)
def test_a_change_comes_into_force(bench: Bench) -> None:
    talk = bench.opened()
    assert bench.in_force() == [False, False]
    talk.apply(bench.change())
    assert bench.in_force() == [True, True]
    assert {reply.verdict for reply in talk.replies} == {Verdict.DONE}
    answers_well(talk)


@examine(asked("each line reported"))
def test_each_line_is_reported(bench: Bench) -> None:
    talk, lines = bench.opened(), bench.subject.lines
    talk.apply(bench.change())
    assert [reply.command for reply in talk.replies if reply.command in lines] == [*lines]


@examine(SUBJECTS)
def test_a_refused_line_stops_the_change(bench: Bench) -> None:
    talk = bench.opened()
    with pytest.raises(CommandRejected):
        talk.apply(bench.change(bench.subject.broken))
    assert bench.in_force() == [bench.subject.keeps, False]
    assert Verdict.REFUSED in {reply.verdict for reply in talk.replies}
    if talk.session.alive():
        answers_well(talk)
    bench.opened().apply(bench.change(name="np00000000000a"))  # nothing of the first is in the way
    assert bench.in_force() == [True, True]


@examine(asked("each line reported"))
def test_the_lines_after_a_refused_one_are_skipped(bench: Bench) -> None:
    talk, lines = bench.opened(), bench.subject.broken
    with pytest.raises(CommandRejected):
        talk.apply(bench.change(lines))
    told = [(reply.command, reply.verdict) for reply in talk.replies if reply.command in lines]
    half = len(lines) // 2
    verdicts = [Verdict.DONE] * half + [Verdict.REFUSED] + [Verdict.SKIPPED] * half
    assert told == [*zip(lines, verdicts, strict=True)]


@examine(SUBJECTS)
def test_a_lease_that_is_lost_within_a_change(bench: Bench) -> None:
    """Nothing more is written, be it to tidy up."""
    talk = bench.opened()

    def guard() -> None:
        if talk.replies:
            raise LeaseLost("no longer ours")

    talk.session.guard = guard
    with pytest.raises(LeaseLost):
        talk.apply(bench.change())
    assert bench.in_force()[1] is False
    talk.close()


# ── safe changes ──


@examine(able("dry_run"))
def test_a_dry_run_changes_nothing_and_leaves_nothing(bench: Bench) -> None:
    before, left = bench.peer.running(), bench.left_behind()
    talk = bench.opened()
    difference = talk.apply(bench.change(dry_run=True))
    assert all(mark.split()[-1] in (difference or "") for mark in bench.subject.marks)
    assert bench.peer.running() == before
    assert bench.left_behind() == left
    answers_well(talk)
    assert talk.apply(bench.change(dry_run=True)) == difference


@examine([subject for subject in able("dry_run") if subject in asked("refused dry run")])
def test_a_refused_dry_run_changes_nothing_and_leaves_nothing(bench: Bench) -> None:
    before, left = bench.peer.running(), bench.left_behind()
    with pytest.raises(CommandRejected):
        bench.opened().apply(bench.change(bench.subject.broken, dry_run=True))
    assert bench.peer.running() == before
    assert bench.left_behind() == left


@examine(able("rollback"))
def test_a_change_is_undone_from_another_session(bench: Bench) -> None:
    before = bench.peer.running()
    talk = bench.opened()
    talk.apply(bench.change(undoable=True))
    assert bench.in_force() == [True, True]
    talk.close()
    bench.opened().undo(bench.change(undoable=True))
    assert bench.peer.running() == before
    assert not kept_for_undoing(bench)


@examine(able("rollback"))
def test_a_refused_change_is_undone(bench: Bench) -> None:
    before = bench.peer.running()
    talk = bench.opened()
    with pytest.raises(CommandRejected):
        talk.apply(bench.change(bench.subject.broken, undoable=True))
    if not talk.session.alive():
        talk = bench.opened()
    talk.undo(bench.change(bench.subject.broken, undoable=True))
    assert bench.peer.running() == before
    assert not kept_for_undoing(bench)


@examine(able("rollback"))
def test_a_kept_change_stays_and_leaves_nothing(bench: Bench) -> None:
    talk = bench.opened()
    talk.apply(bench.change(undoable=True))
    talk.close()
    talk = bench.opened()
    talk.keep(bench.change(undoable=True))
    assert bench.in_force() == [True, True]
    assert not kept_for_undoing(bench)
    answers_well(talk)


@examine(able("revert_in"))
def test_an_unconfirmed_change_is_undone_by_the_device(bench: Bench) -> None:
    before, talk = bench.peer.running(), bench.opened()
    talk.apply(bench.change(revert_in=1))
    assert bench.in_force() == [True, True]
    until(lambda: bench.peer.running() == before, "the device undoes it", 5)
    answers_well(talk)


@examine(able("revert_in"))
def test_a_change_is_confirmed_from_another_session(bench: Bench) -> None:
    talk = bench.opened()
    talk.apply(bench.change(revert_in=LONG_S))
    talk.close()
    talk = bench.opened()
    talk.confirm(bench.change((), revert_in=LONG_S))
    assert bench.in_force() == [True, True]
    with pytest.raises(CommandRejected):
        talk.confirm(bench.change((), revert_in=LONG_S))
    assert bench.in_force() == [True, True]


@examine(able("revert_in"))
def test_a_change_that_waits_is_undone_at_once(bench: Bench) -> None:
    before = bench.peer.running()
    bench.opened().apply(bench.change(revert_in=LONG_S))
    assert bench.in_force() == [True, True]
    bench.opened().undo(bench.change(revert_in=LONG_S))
    assert bench.peer.running() == before


def kept_for_undoing(bench: Bench) -> bool:
    """Whether something of the change's name lies about. Finished sessions and commits are listed by design."""
    looks = bench.subject.looks
    listed = zip(looks, bench.left_behind(), strict=True)
    return any(NAME in said for look, said in listed if look not in _HISTORY)
