"""The pool: who gets which session, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from drivers.base import Arguments, Reply, Target
from drivers.errors import LeaseLost, SessionAborted, Unreachable
from drivers.pool import PoolLimits, SessionPool
from tests.unit.drivers.fakes import PATIENCE_S, FakeDriver, FakeSession, Login
from tests.waiting import until

pytestmark = pytest.mark.anyio


class Site:
    """A pool over fake devices."""

    def __init__(self, limits: PoolLimits) -> None:
        self.driver = FakeDriver()
        self.let_go: list[str] = []
        self.pool = SessionPool({"fake": self.driver}, limits, on_let_go=self.let_go.append)

    def target(self, host: str = "r1", username: str = "admin") -> Target:
        return self.driver.target(Login(host=host, username=username))

    async def run(self, *commands: str, host: str = "r1", username: str = "admin", keep: bool = True) -> bool:
        """Run commands in a lease; True if its session was held before."""
        async with self.pool.lease(self.target(host, username), lambda: None, keep=keep) as lease:
            await lease.call(lease.session.run_commands, commands, Arguments(), _ignore)
            return lease.reused

    async def holding(self, number: int = 0) -> FakeSession:
        """The session made as `number`, once a call of it holds."""
        [session] = await asyncio.to_thread(until, lambda: self.driver.sessions[number : number + 1], "a session")
        assert await asyncio.to_thread(session.holding.wait, PATIENCE_S)
        return session


def _ignore(_reply: Reply) -> None:
    pass


@asynccontextmanager
async def site_of(limits: PoolLimits) -> AsyncIterator[Site]:
    site = Site(limits)
    try:
        yield site
    finally:
        await site.pool.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with site_of(PoolLimits()) as site:
        yield site


async def test_a_session_is_used_again(site: Site) -> None:
    assert [await site.run("a"), await site.run("b")] == [False, True]
    [session] = site.driver.sessions
    assert session.events == ["open", "a", "b"]
    assert site.pool.held == 1


async def test_the_whole_login_is_the_key(site: Site) -> None:
    reused = [await site.run("a", username=name) for name in ("admin", "bob", "admin", "bob")]

    assert reused == [False, False, True, True]
    assert [session.events for session in site.driver.sessions] == [["open", "a", "a"]] * 2


async def test_a_fresh_one_leaves_the_held_one_alone(site: Site) -> None:
    await site.run("a")
    assert await site.run("b", keep=False) is False
    held, fresh = site.driver.sessions

    assert (held.events, fresh.events) == (["open", "a"], ["open", "b", "close"])
    assert await site.run("c") is True


async def test_each_lease_brings_its_own_guard(site: Site) -> None:
    await site.run("a")

    def forbid() -> None:
        raise LeaseLost("no more")

    with pytest.raises(LeaseLost):
        async with site.pool.lease(site.target(), forbid) as lease:
            await lease.call(lease.session.run_commands, ["b"], Arguments(), _ignore)
    assert site.driver.sessions[0].events == ["open", "a", "abort", "close"]


async def test_after_any_failure_a_session_is_thrown_away(site: Site) -> None:
    with pytest.raises(ValueError, match="parsing"):
        async with site.pool.lease(site.target(), lambda: None):
            raise ValueError("parsing")

    assert site.driver.sessions[0].events == ["open", "abort", "close"]
    assert site.pool.held == 0
    assert await site.run("a") is False


async def test_a_login_that_fails_leaves_nothing(site: Site) -> None:
    with pytest.raises(Unreachable):
        await site.run("a", username="refuse")

    assert site.driver.sessions[0].events == ["open", "abort", "close"]
    assert site.pool.held == 0


@pytest.mark.parametrize("username", ["admin", "hold"])
async def test_cancelling_aborts_and_waits_for_the_thread(site: Site, username: str) -> None:
    job = asyncio.create_task(site.run("hold", username=username))
    session = await site.holding()
    session.lingers.clear()
    job.cancel()
    assert await asyncio.to_thread(session.released.wait, PATIENCE_S)
    assert not job.done()  # the thread has not left the device
    session.lingers.set()
    with pytest.raises(asyncio.CancelledError):
        await job

    assert session.events[-4:] == ["abort", "left", "abort", "close"]
    assert site.pool.held == 0


async def test_cancelling_one_that_waits_for_a_thread_is_a_cancel() -> None:
    async with site_of(PoolLimits(logins=1)) as site:
        first = asyncio.create_task(site.run("one", username="hold"))
        held = await site.holding()
        second = asyncio.create_task(site.run("two", host="r2"))
        [_, waiting] = await asyncio.to_thread(
            until, lambda: sessions if len(sessions := site.driver.sessions) == 2 else [], "two sessions"
        )
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        held.abort()
        with pytest.raises(SessionAborted):
            await first

    assert "open" not in waiting.events


async def test_a_second_cancel_does_not_hurry_it(site: Site) -> None:
    job = asyncio.create_task(site.run("hold"))
    session = await site.holding()
    session.lingers.clear()
    for _ in range(3):
        job.cancel()
        await asyncio.sleep(0)
    assert not job.done()
    session.lingers.set()
    with pytest.raises(asyncio.CancelledError):
        await job


async def test_a_session_aborted_from_outside(site: Site) -> None:
    job = asyncio.create_task(site.run("hold"))
    (await site.holding()).abort()
    with pytest.raises(SessionAborted):
        await job


async def test_the_longest_idle_makes_room() -> None:
    async with site_of(PoolLimits(sessions=2)) as site:
        for host in ("a", "b", "a", "c"):
            await site.run("x", host=host)

        assert site.let_go == ["b:22"]
        assert [session.dead for session in site.driver.sessions] == [False, True, False]
        assert site.pool.held == 2


async def test_more_lent_at_once_than_may_be_held() -> None:
    async with site_of(PoolLimits(sessions=1)) as site:
        async with (
            site.pool.lease(site.target("a"), lambda: None),
            site.pool.lease(site.target("b"), lambda: None),
            site.pool.lease(site.target("c"), lambda: None),
        ):
            assert site.pool.held == 3  # a job that was claimed runs
        assert site.pool.held == 1
        assert site.let_go == ["c:22", "b:22"]


@pytest.mark.parametrize(("answers", "events"), [(True, ["ping", "b"]), (False, ["ping", "abort", "close"])])
async def test_an_idle_session_is_asked_for_a_sign_of_life(answers: bool, events: list[str]) -> None:
    async with site_of(PoolLimits(ping_after_s=0)) as site:
        await site.run("a")
        site.driver.sessions[0].answers_ping = answers

        assert await site.run("b") is answers
        assert site.driver.sessions[0].events == ["open", "a", *events]
        assert len(site.driver.sessions) == (1 if answers else 2)


async def test_one_just_used_is_not_asked(site: Site) -> None:
    await site.run("a")
    site.driver.sessions[0].answers_ping = False

    assert await site.run("b") is True


async def test_one_known_to_be_dead_is_not_lent_nor_kept(site: Site) -> None:
    await site.run("a")
    site.driver.sessions[0].dead = True
    assert await site.run("b") is False

    async with site.pool.lease(site.target(), lambda: None):
        site.driver.sessions[1].dead = True  # a job may leave it at another prompt
    assert site.pool.held == 0
    assert site.driver.sessions[1].events[-1] == "close"


async def test_sweeping_drops_the_dead_and_says_so(site: Site) -> None:
    for host in ("a", "b"):
        await site.run("x", host=host)
    site.driver.sessions[0].dead = True
    site.pool.sweep()

    assert (site.let_go, site.pool.held) == (["a:22"], 1)


async def test_letting_go_of_a_device_closes_every_login_on_it(site: Site) -> None:
    for host, username in (("a", "admin"), ("a", "bob"), ("b", "admin")):
        await site.run("x", host=host, username=username)

    assert (site.pool.let_go("a:22"), site.pool.held) == (2, 1)
    assert [session.dead for session in site.driver.sessions] == [True, True, False]


async def test_what_is_kept_is_the_same_session_at_rest_and_lent(site: Site) -> None:
    await site.run("a", host="a")
    [rests] = site.pool.kept
    async with (
        site.pool.lease(site.target("a"), lambda: None),
        site.pool.lease(site.target("b"), lambda: None, keep=False),
    ):
        [lent] = site.pool.kept  # the fresh one is nobody's

        assert (lent.id, lent.opened_at) == (rests.id, rests.opened_at)
        assert site.pool.held == 2
    assert [held.id for held in site.pool.kept] == [rests.id]


async def test_what_failed_is_not_kept(site: Site) -> None:
    with pytest.raises(ValueError, match="parsing"):
        async with site.pool.lease(site.target(), lambda: None):
            raise ValueError("parsing")
    assert site.pool.kept == []


async def test_closing_closes_everything(site: Site) -> None:
    for host in ("a", "b"):
        await site.run("x", host=host)
    await site.pool.close()

    assert all(session.events[-1] == "close" for session in site.driver.sessions)
    assert site.pool.held == 0
