"""Sessions whose device stalls, dies or is called off in the middle of something."""

import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from drivers.errors import DriverError, ReplyTimeout, SessionAborted, SessionLost, Unreachable
from tests.integration.conformance.bench import ABORT_S, AT_ONCE_S, LOGIN_S, Bench, Talk, running, threads, within
from tests.integration.conformance.examine import examine
from tests.integration.conformance.peers import slow
from tests.integration.conformance.subjects import SUBJECTS, asked
from tests.integration.conformance.test_reading import answers_well
from tests.waiting import until

STALL_S = 0.4
TRIES = 50
"""A real sshd puts the same answer into more or fewer packets: every second one takes no fewer bytes than the last."""
PARTS = 6
"""Of a change: it is cut at the end of each but the last two, where one may be over already, since the device does not
say the same every time. EOS keeps five candidates."""


def first(bench: Bench) -> str:
    return bench.subject.reads[0][0]


def asking(bench: Bench, talk: Talk) -> int:
    """How many bytes the first command costs, once the session stands where commands run."""
    talk.ask(first(bench))
    return bench.cost(lambda: talk.ask(first(bench)))


def changing(bench: Bench, talk: Talk) -> int:
    """How many bytes the change costs when it makes no difference."""
    talk.apply(bench.change(name="np0000000000aa"))
    return bench.cost(lambda: talk.apply(bench.change(name="np0000000000bb")))


# ── stalls ──


@examine(SUBJECTS)
def test_a_stall_within_an_answer(bench: Bench) -> None:
    talk = bench.opened()
    expected = talk.ask(first(bench))
    cost = asking(bench, talk)
    bench.cable.pinch_after = bench.cable.received + cost // 2
    with within(STALL_S + 0.6, STALL_S - 0.1), pytest.raises(ReplyTimeout):
        talk.ask(first(bench), wait_s=STALL_S)
    assert talk.replies == []
    talk.close()
    bench.cable.release()
    assert bench.opened().ask(first(bench)) == expected


@examine(SUBJECTS)
def test_a_stall_within_a_change(bench: Bench) -> None:
    """It may have landed, so that nobody may take it for one that did not."""
    talk = bench.opened()

    def guard() -> None:
        if talk.replies:
            bench.cable.pinch()

    talk.session.guard = guard
    # Opening a channel, or a connection to drop what was left prepared, has the time of a login's phase.
    with within(STALL_S + LOGIN_S + 0.6, STALL_S - 0.1), pytest.raises(ReplyTimeout):
        talk.apply(bench.change(wait_s=STALL_S))
    assert talk.replies
    talk.close()
    bench.cable.release()
    answers_well(bench.opened())


@examine(SUBJECTS)
def test_a_silent_device_is_not_there(bench: Bench) -> None:
    talk = bench.opened()
    bench.cable.pinch()
    with within(0.3 + AT_ONCE_S):
        assert not talk.session.ping(0.3)
    talk.close()
    bench.cable.release()
    answers_well(bench.opened())


# ── ends ──


@examine(SUBJECTS)
def test_a_line_that_is_cut_while_idle(bench: Bench) -> None:
    """The device saw nothing of the next job."""
    talk = bench.opened()
    bench.cable.pull()
    until(lambda: not talk.session.alive(), "the end is noticed", AT_ONCE_S)
    with within(AT_ONCE_S):
        assert not talk.session.ping(2)


@examine(SUBJECTS)
def test_a_line_that_is_cut_when_the_command_is_out(bench: Bench) -> None:
    talk = bench.opened()

    def guard() -> None:
        bench.cable.pull_after_sent = bench.cable.sent + 1

    talk.session.guard = guard
    with within(AT_ONCE_S), pytest.raises(SessionLost):
        talk.ask(first(bench))
    assert not talk.session.alive()


@examine(SUBJECTS)
def test_a_line_that_is_cut_within_an_answer(bench: Bench) -> None:
    talk = bench.opened()
    cost = asking(bench, talk)
    bench.cable.pull_after = bench.cable.received + cost // 2
    with within(AT_ONCE_S), pytest.raises(SessionLost):
        talk.ask(first(bench))
    assert talk.replies == []
    assert not talk.session.alive()
    answers_well(bench.opened())


def cuts_the_last_byte(bench: Bench, talk: Talk, expected: list[str]) -> bool:
    """Ask, and cut before the end; False: the whole answer came in fewer bytes than the one before it."""
    cost = asking(bench, talk)
    bench.cable.pull_after = bench.cable.received + cost - 1
    try:
        with within(AT_ONCE_S):
            answer = talk.ask(first(bench))
    except SessionLost:
        return True
    assert bench.cable.pull_after is not None
    assert answer == expected
    bench.cable.pull_after = None
    return False


@examine(asked("cut before the prompt"))
def test_a_line_that_is_cut_before_the_prompt(bench: Bench) -> None:
    talk = bench.opened()
    expected = talk.ask(first(bench))
    assert any(cuts_the_last_byte(bench, talk, expected) for _ in range(TRIES))
    assert talk.replies == []


@examine(SUBJECTS)
def test_a_line_that_is_cut_anywhere_in_a_change(bench: Bench) -> None:
    """Once a byte of it is out, nobody may take the device for one that saw nothing."""
    talk = bench.opened()
    cost = changing(bench, talk)
    talk.close()
    for part in range(1, PARTS - 1):
        talk, written = bench.opened(), list[bool]()
        talk.session.guard = partial(written.append, True)
        bench.cable.pull_after = bench.cable.received + cost * part // PARTS
        with within(4 * AT_ONCE_S), pytest.raises(DriverError) as failure:
            talk.apply(bench.change(name=f"np00000000000{part}"))
        assert type(failure.value) is (SessionLost if written else Unreachable)
        talk.close()
    answers_well(bench.opened())


@examine(asked("killed"))
def test_a_device_that_is_killed_within_a_command(bench: Bench) -> None:
    talk = bench.opened()
    command = slow(bench.peer, first(bench))
    with running(lambda: talk.ask(command, wait_s=20)) as call:
        bench.peer.await_command(command)
        bench.peer.kill()
        with within(AT_ONCE_S):
            assert isinstance(call.exception(), SessionLost)
    assert not talk.session.alive()


# ── aborts ──

Act = Callable[[Talk], object]


def abort(bench: Bench, talk: Talk, act: Act) -> None:
    """Abort `act` when it waits for the pinched cable; its thread, and those of the session, must end at once."""
    with running(lambda: act(talk)) as call:
        assert bench.cable.held.wait(5)
        assert not call.done()
        talk.session.abort()
        began = time.monotonic()
        failure = call.exception(5)
        took = time.monotonic() - began
    assert type(failure) is SessionAborted
    assert took <= ABORT_S, f"{took:.3f} s"
    assert not talk.session.alive()
    talk.close()


@pytest.fixture
def no_threads() -> Iterator[None]:
    """No session leaves a thread behind."""
    before = threads()
    yield
    until(lambda: threads() <= before, "the sessions' threads are gone", 2)


@pytest.mark.usefixtures("no_threads")
@examine(SUBJECTS)
def test_a_connect_is_aborted(bench: Bench) -> None:
    bench.cable.pinch()
    abort(bench, bench.closed(), Talk.open)


@pytest.mark.usefixtures("no_threads")
@examine(SUBJECTS)
def test_a_login_is_aborted(bench: Bench) -> None:
    bench.opened().close()
    bench.cable.pinch_after = bench.cable.received + bench.cable.received // 2
    abort(bench, bench.closed(), Talk.open)


@pytest.mark.usefixtures("no_threads")
@examine(SUBJECTS)
def test_a_command_is_aborted(bench: Bench) -> None:
    talk = bench.opened()
    cost = asking(bench, talk)
    bench.cable.pinch_after = bench.cable.received + cost // 2
    abort(bench, talk, lambda talk: talk.ask(first(bench)))


@pytest.mark.usefixtures("no_threads")
@examine(SUBJECTS)
def test_a_change_is_aborted(bench: Bench) -> None:
    talk = bench.opened()
    cost = changing(bench, talk)
    bench.cable.pinch_after = bench.cable.received + cost // 2
    abort(bench, talk, lambda talk: talk.apply(bench.change(name="np00000000000a")))


@examine(SUBJECTS)
def test_an_abort_before_anything_else(bench: Bench) -> None:
    talk = bench.closed()
    talk.session.abort()
    with within(AT_ONCE_S), pytest.raises(SessionAborted):
        talk.open()
    assert bench.peer.attempts() == 0
