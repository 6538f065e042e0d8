"""Commands: their answers, whatever way they come in."""

import re
from contextlib import suppress
from pathlib import Path

import pytest

from drivers.base import Verdict
from drivers.errors import CommandRejected, DriverError, LeaseLost
from drivers.lab import Ask, Huge, NonUtf8, PromptChange
from tests.integration.conformance.bench import Bench, Talk
from tests.integration.conformance.examine import examine
from tests.integration.conformance.peers import Simulated
from tests.integration.conformance.subjects import SUBJECTS, asked

HUGE = 20_000_000
BEYOND = 40_000_000
MOST_MEMORY = 8 * BEYOND
"""What one answer may take of the worker for a moment: its bytes, its text, and copies on the way."""


def answers_well(talk: Talk) -> None:
    """The session does its work, one reply for each command, in order."""
    reads = talk.subject.reads
    answers = talk.ask(*(command for command, _ in reads))
    assert [reply.command for reply in talk.replies] == [command for command, _ in reads]
    for answer, (_, contained) in zip(answers, reads, strict=True):
        assert contained in answer
    assert {reply.verdict for reply in talk.replies} == {Verdict.DONE}
    assert all(reply.started_at and reply.duration_s >= 0 and reply.exit_status == 0 for reply in talk.replies)


@examine(SUBJECTS)
def test_one_session_serves_two_jobs(bench: Bench) -> None:
    talk = bench.opened()
    answers_well(talk)
    assert talk.session.alive()
    assert talk.session.ping(2)
    answers_well(talk)
    assert bench.cable.connections == 1


@examine(SUBJECTS)
def test_each_answer_is_reported_before_the_next_command(bench: Bench) -> None:
    """The worker stores what came even if what follows never ends."""
    talk, ((first, _), (second, _)) = bench.opened(), bench.subject.reads[:2]
    before = bench.peer.received() if isinstance(bench.peer, Simulated) else []

    def guard() -> None:
        if talk.replies:
            raise LeaseLost("no longer ours")

    talk.session.guard = guard
    with pytest.raises(LeaseLost):
        talk.ask(first, second)
    assert [reply.command for reply in talk.replies] == [first]
    if isinstance(bench.peer, Simulated):
        assert second not in bench.peer.received()[len(before) :]


@examine(asked("refused command"))
def test_a_refused_command_is_told_and_the_others_run(bench: Bench) -> None:
    talk, refused, (last, contained) = bench.opened(), bench.subject.refused, bench.subject.reads[1]
    with pytest.raises(CommandRejected):
        talk.ask(refused, last)
    assert [(reply.command, reply.verdict) for reply in talk.replies] == [
        (refused, Verdict.REFUSED),
        (last, Verdict.DONE),
    ]
    assert contained in talk.replies[1].stdout
    if talk.session.alive():
        answers_well(talk)


@examine(SUBJECTS)
def test_byte_by_byte_the_answers_are_the_same(bench: Bench) -> None:
    commands = [command for command, _ in bench.subject.reads[:2]]
    whole = bench.opened().ask(*commands)
    bench.cable.dribbles = True
    talk = bench.opened()
    assert talk.ask(*commands) == whole
    assert talk.session.alive()


@examine(asked("another prompt"))
def test_a_prompt_that_changes_ends_no_answer_early(bench: Bench) -> None:
    (first, _), (second, _) = bench.subject.reads[:2]
    expected = bench.opened().ask(first, second)
    talk = bench.opened()
    ending = talk.session.prompt()[-1]
    bench.device.misbehave(PromptChange(prompt=f"elsewhere{ending} ", command=first, count=1))
    with suppress(DriverError):
        assert talk.ask(first, wait_s=1) == expected[:1]
        if talk.session.alive():
            assert talk.ask(second) == expected[1:]
    assert bench.opened().ask(first, second) == expected


@examine(asked("another name"))
def test_a_device_renamed_by_the_job_itself(bench: Bench) -> None:
    talk, expected = bench.opened(), bench.subject.reads[1][1]
    talk.apply(bench.change([bench.subject.renames.format("renamed")]))
    if talk.session.alive():
        assert expected in talk.ask(bench.subject.reads[1][0])[0]
    else:
        talk.close()
    fresh = bench.opened()
    answers_well(fresh)
    if bench.subject.peer != "frr" and fresh.session.prompt():  # vtysh has a name of its own
        assert "renamed" in fresh.session.prompt()


@examine(asked("question"))
def test_a_question_is_not_ours_to_answer(bench: Bench) -> None:
    (command, _), (other, contained) = bench.subject.reads[:2]
    talk = bench.opened()
    bench.device.misbehave(Ask(command=command, count=1))
    before = bench.device.answered()
    with pytest.raises(DriverError):
        talk.ask(command, wait_s=0.6)
    if talk.session.alive():
        assert contained in talk.ask(other)[0]
    talk.close()
    bench.device.lab.wait_sessions(bench.device.device, 0)
    assert bench.device.answered() == before
    answers_well(bench.opened())


@examine(asked("question to a line"))
def test_a_question_within_a_change_is_not_ours_to_answer(bench: Bench) -> None:
    talk, line = bench.opened(), bench.subject.lines[-1]
    bench.device.misbehave(Ask(command=line, count=1))
    before = bench.device.answered()
    with suppress(DriverError):
        talk.apply(bench.change(wait_s=0.6))
        assert bench.in_force() == [True, True]
    talk.close()
    bench.device.lab.wait_sessions(bench.device.device, 0)
    assert bench.device.answered() == before
    answers_well(bench.opened())


@examine(asked("bytes"))
def test_bytes_that_are_no_text(bench: Bench) -> None:
    command, contained = bench.subject.reads[0]
    talk = bench.opened()
    if isinstance(bench.peer, Simulated):
        bench.peer.misbehave(NonUtf8(command=command, count=1))
    else:
        command = f"printf '\\377\\376'; {command}"
    (answer,) = talk.ask(command)
    assert "\ufffd" in answer
    assert contained in answer
    answers_well(talk)


@examine(asked("huge"))
def test_a_huge_answer_comes_whole(bench: Bench) -> None:
    talk = bench.opened()
    (answer,) = talk.ask(huge(bench, HUGE), wait_s=30)
    assert HUGE <= len(answer) < HUGE * 1.2
    numbers = re.findall(r"line (\d{9}) ", answer)
    assert [*map(int, numbers)] == [*range(len(numbers))]  # none is missing
    bench.peer.misbehave() if isinstance(bench.peer, Simulated) else None
    answers_well(talk)


@examine(asked("huge"))
def test_an_answer_beyond_measure_is_an_error(bench: Bench) -> None:
    talk = bench.opened()
    before = memory(peak=False)
    with pytest.raises(DriverError):
        talk.ask(huge(bench, BEYOND), wait_s=30)
    assert memory(peak=True) - before < MOST_MEMORY
    talk.close()
    bench.peer.misbehave() if isinstance(bench.peer, Simulated) else None
    answers_well(bench.opened())


def huge(bench: Bench, size: int) -> str:
    """A command that answers with that much."""
    if isinstance(bench.peer, Simulated):
        bench.peer.misbehave(Huge(command=bench.subject.reads[0][0], size_bytes=size))
        return bench.subject.reads[0][0]
    return f"seq -f 'line %09.0f {'.' * 80}' 0 {size // 96}"


def memory(*, peak: bool) -> int:
    """Bytes of this process: now, from when the peak is counted anew; or at the peak since."""
    if not peak:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{'VmHWM' if peak else 'VmRSS'}:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
