"""Logins: who is let in, by whom, and where one breaks off."""

import socket
from contextlib import closing
from itertools import pairwise

import pytest

from drivers.base import AnyKey
from drivers.errors import AuthenticationFailed, HostKeyMismatch, LeaseLost, Unreachable
from tests.cable import cable
from tests.integration.conformance.bench import AT_ONCE_S, LOGIN_S, Bench, within
from tests.integration.conformance.examine import examine
from tests.integration.conformance.peers import Simulated
from tests.integration.conformance.subjects import SUBJECTS, asked
from tests.integration.conformance.test_reading import answers_well

PARTS = 10
"""Of a login: it is cut at the beginning of each."""


class Recorded(AnyKey):
    """A `Trust` with fingerprints on record; None: it takes what it is shown."""

    def __init__(self, known: set[str] | None = None) -> None:
        self._known = known
        self.shown: dict[str, str] = {}

    def check(self, address: str, kind: str, fingerprint: str) -> None:
        self.shown[address] = fingerprint
        if self._known is not None and fingerprint not in self._known:
            raise HostKeyMismatch("another key than the one on record")


@examine(asked("wrong password"))
def test_a_wrong_password_is_tried_once(bench: Bench) -> None:
    talk = bench.closed(**bench.peer.wrong_login())
    with pytest.raises(AuthenticationFailed) as failure:
        talk.open()
    assert bench.peer.attempts() == 1
    assert "wrong" not in str(failure.value)
    assert not talk.session.alive()


@examine(asked("wrong key"))
def test_a_wrong_key_is_tried_once(bench: Bench) -> None:
    before = bench.peer.attempts()
    with pytest.raises(AuthenticationFailed):
        bench.opened(**bench.peer.wrong_login())
    assert bench.peer.attempts() - before == 1


@examine(SUBJECTS)
def test_a_stranger_is_shown_no_secret(bench: Bench) -> None:
    with pytest.raises(HostKeyMismatch):
        bench.opened(trust=Recorded({"SHA256:another"}))
    assert bench.peer.attempts() == 0
    seen = Recorded()
    bench.opened(trust=seen)
    assert set(seen.shown) == {f"127.0.0.1:{bench.cable.port}"}
    answers_well(bench.opened(trust=Recorded(set(seen.shown.values()))))


@examine(SUBJECTS)
def test_nobody_listens(bench: Bench) -> None:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        with within(AT_ONCE_S), pytest.raises(Unreachable):
            bench.opened(port=bound.getsockname()[1])


@examine(SUBJECTS)
def test_a_login_that_breaks_off_anywhere(bench: Bench) -> None:
    """Wherever it is cut, the device has seen no command of ours: the job may be done elsewhere."""
    bench.opened().close()
    whole = bench.cable.received
    for position in range(PARTS):
        with cable(bench.peer.port) as cut:
            # Not up to the end: what a server says after the login (its other host keys) is counted too.
            cut.pull_after = whole * position // (PARTS + 3)
            talk = bench.closed(port=cut.port)
            with within(LOGIN_S), pytest.raises(Unreachable):
                talk.open()
            assert not talk.session.alive()
            talk.close()
    answers_well(bench.opened())


@examine(SUBJECTS)
def test_a_silent_device_ends_the_login_in_time(bench: Bench) -> None:
    bench.cable.pinch()
    talk = bench.closed(timeout=0.4)
    with within(2.0), pytest.raises(Unreachable):
        talk.open()
    talk.close()
    bench.cable.release()
    answers_well(bench.opened())


@examine(SUBJECTS)
def test_a_device_that_falls_silent_during_the_login(bench: Bench) -> None:
    bench.opened().close()
    bench.cable.pinch_after = bench.cable.received + bench.cable.received * 2 // 3
    talk = bench.closed(timeout=0.4)
    with within(3.0), pytest.raises(Unreachable):
        talk.open()
    talk.close()
    bench.cable.release()
    answers_well(bench.opened())


@examine(SUBJECTS)
def test_without_a_lease_nothing_is_written(bench: Bench) -> None:
    def guard() -> None:
        raise LeaseLost("no longer ours")

    talk = bench.opened()
    before = bench.peer.running(), bench.peer.received() if isinstance(bench.peer, Simulated) else []
    talk.session.guard = guard
    with pytest.raises(LeaseLost):
        talk.ask(bench.subject.reads[0][0])
    talk.close()
    talk = bench.opened()
    opening = bench.peer.received() if isinstance(bench.peer, Simulated) else []
    talk.session.guard = guard
    with pytest.raises(LeaseLost):
        talk.apply(bench.change())
    after = bench.peer.running(), bench.peer.received() if isinstance(bench.peer, Simulated) else []
    assert after[0] == before[0]
    for earlier, later in pairwise((before[1], opening, after[1])):
        assert later[: len(earlier)] == earlier
    assert after[1] == opening
