"""Configuration sessions of the EOS persona: what is in force, until when, and what undoes it."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from drivers.lab.eos.errors import Refused
from drivers.lab.eos.sessions import MAX_PENDING, Candidate, seconds_of
from drivers.lab.eos.switch import Switch
from tests.waiting import until_async

SOON_S = 0.02
LATE_S = 600.0


def prepared(switch: Switch, name: str = "change", hostname: str = "new") -> Candidate:
    candidate = switch.sessions.enter(name)
    candidate.config.enter(f"hostname {hostname}", "hostname")
    return candidate


@pytest.fixture
def switch() -> Switch:
    return Switch("R1", "secret")


def run(steps: Coroutine[Any, Any, None]) -> None:
    asyncio.run(steps)


def test_a_session_changes_nothing_until_it_is_committed(switch: Switch) -> None:
    candidate = prepared(switch)
    assert switch.hostname == "R1"
    assert switch.sessions.enter("change") is candidate
    switch.sessions.commit(candidate)
    assert (switch.hostname, candidate.state) == ("new", "completed")


def test_an_aborted_session_is_gone(switch: Switch) -> None:
    switch.sessions.abort(prepared(switch))
    assert switch.hostname == "R1"
    with pytest.raises(Refused):
        switch.sessions.find("change")


def test_an_unconfirmed_commit_is_undone_when_its_time_is_over(switch: Switch) -> None:
    async def steps() -> None:
        switch.sessions.commit_for(prepared(switch), SOON_S)
        assert switch.hostname == "new"

        async def is_undone() -> bool:
            return switch.hostname == "R1"

        await until_async(is_undone, "the commit is undone")
        assert not switch.sessions.all()

    run(steps())


def test_a_confirmed_commit_stays(switch: Switch) -> None:
    async def steps() -> None:
        candidate = prepared(switch)
        switch.sessions.commit_for(candidate, SOON_S)
        timer = candidate.timer
        switch.sessions.commit(candidate)
        assert timer is not None
        assert timer.cancelled()
        assert (switch.hostname, candidate.state, candidate.commit_by) == ("new", "completed", None)

    run(steps())


def test_an_abort_undoes_what_waits_to_be_confirmed(switch: Switch) -> None:
    async def steps() -> None:
        candidate = prepared(switch)
        switch.sessions.commit_for(candidate, LATE_S)
        switch.sessions.abort(candidate)
        assert (switch.hostname, candidate.timer) == ("R1", None)

    run(steps())


def test_a_new_time_takes_the_place_of_the_old_and_the_same_state_comes_back(switch: Switch) -> None:
    async def steps() -> None:
        candidate = prepared(switch)
        switch.sessions.commit_for(candidate, LATE_S)
        switch.sessions.commit_for(candidate, SOON_S)

        async def is_undone() -> bool:
            return switch.hostname == "R1"

        await until_async(is_undone, "the commit is undone")

    run(steps())


def test_nothing_else_is_committed_while_one_waits(switch: Switch) -> None:
    async def steps() -> None:
        switch.sessions.commit_for(prepared(switch), LATE_S)
        other = prepared(switch, "other", "third")
        with pytest.raises(Refused, match="timer"):
            switch.sessions.commit(other)
        with pytest.raises(Refused, match="timer"):
            switch.sessions.commit_for(other, LATE_S)
        assert switch.hostname == "new"

    run(steps())


def test_a_restart_forgets_sessions_and_their_timers(switch: Switch) -> None:
    async def steps() -> None:
        candidate = prepared(switch)
        switch.sessions.commit_for(candidate, LATE_S)
        switch.restart()
        assert (switch.hostname, candidate.timer, switch.sessions.all()) == ("R1", None, [])

    run(steps())


def test_only_so_many_sessions_are_open_at_a_time(switch: Switch) -> None:
    for number in range(MAX_PENDING):
        switch.sessions.enter(f"s{number}")
    with pytest.raises(Refused, match="Maximum"):
        switch.sessions.enter("one-more")
    switch.sessions.abort(switch.sessions.find("s0"))
    assert switch.sessions.enter("one-more").state == "pending"


def test_one_completed_session_is_remembered(switch: Switch) -> None:
    for name in ("first", "second"):
        switch.sessions.commit(switch.sessions.enter(name))
    assert [each.name for each in switch.sessions.all()] == ["second"]


def test_what_was_aborted_meanwhile_cannot_be_committed(switch: Switch) -> None:
    candidate = prepared(switch)
    switch.sessions.abort(candidate)
    with pytest.raises(Refused):
        switch.sessions.commit(candidate)
    assert switch.hostname == "R1"


@pytest.mark.parametrize(("text", "seconds"), [("00:00:02", 2), ("01:02:03", 3723)])
def test_a_time(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "00:00:00", "0:60:00", "a:b:c", "1:2:3:4", "-1:00:00"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(Refused):
        seconds_of(text)
