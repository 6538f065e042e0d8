"""What a worker holds, and what PostgreSQL knows of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from drivers.base import Arguments
from drivers.pool import PoolLimits, SessionPool
from jobs.database import Pool
from jobs.holdings import Holdings
from tests.integration.jobs.conftest import Site
from tests.unit.drivers.fakes import FakeDriver, Login
from tests.waiting import until_async

pytestmark = pytest.mark.anyio


class Bench:
    """A worker's sessions over fake devices, and its holdings."""

    def __init__(self, site: Site, pool: Pool, worker: int) -> None:
        self.site = site
        self.worker = worker
        self.let_go: set[str] = set()
        self.driver = FakeDriver()
        self.sessions = SessionPool({"fake": self.driver}, PoolLimits(sessions=3), on_let_go=self.let_go.add)
        self.holdings = Holdings(pool, worker, self.sessions, self.let_go)

    async def open(self, *hosts: str) -> None:
        """A session that comes to rest on each of these devices."""
        for host in hosts:
            async with self.sessions.lease(self.driver.target(Login(host=host)), lambda: None) as lease:
                await lease.call(lease.session.run_commands, ["c"], Arguments(), lambda _reply: None)

    async def hold(self, *hosts: str) -> None:
        """Devices that this worker holds, with a session each."""
        await self.site.hold(self.worker, *hosts)
        await self.open(*hosts)

    async def reported(self) -> list[tuple[str, str, str]]:
        """Who is logged in where, as PostgreSQL has it."""
        sql = "SELECT device_key, driver, username FROM netpulse.session WHERE worker_id = $1 ORDER BY device_key"
        return [tuple(row) for row in await self.site.connection.fetch(sql, self.worker)]


@pytest.fixture
async def bench(site: Site, pool: Pool) -> AsyncIterator[Bench]:
    bench = Bench(site, pool, await site.worker())
    yield bench
    await bench.sessions.close()


async def test_sessions_are_listed_while_they_are_open(bench: Bench) -> None:
    await bench.hold("a", "b")
    await bench.holdings.tidy()
    assert await bench.reported() == [("a:22", "fake", "admin"), ("b:22", "fake", "admin")]
    [first] = await bench.site.connection.fetch("SELECT * FROM netpulse.session WHERE device_key = 'a:22'")

    async with bench.sessions.lease(bench.driver.target(Login(host="a")), lambda: None):
        bench.sessions.let_go("b:22")
        await bench.holdings.tidy()
        assert await bench.reported() == [("a:22", "fake", "admin")]  # lent, and still the same
    [same] = await bench.site.connection.fetch("SELECT * FROM netpulse.session")
    assert same == first


async def test_a_dead_workers_sessions_are_gone_and_stay_so(bench: Bench) -> None:
    await bench.hold("a")
    await bench.holdings.tidy()
    await bench.site.reap(bench.worker)
    assert await bench.reported() == []
    await bench.open("b")
    await bench.holdings.tidy()
    assert await bench.reported() == []


async def test_a_device_whose_session_made_room_is_released(bench: Bench) -> None:
    await bench.hold("a", "b", "c", "d")
    assert bench.let_go == {"a:22"}
    await bench.holdings.tidy()

    assert await bench.site.devices_of(bench.worker) == ["b:22", "c:22", "d:22"]


async def test_a_device_whose_session_was_opened_again_is_not_released(bench: Bench) -> None:
    await bench.hold("a", "b", "c", "d")
    await bench.open("a")
    assert bench.let_go == {"a:22", "b:22"}
    await bench.holdings.tidy()

    assert await bench.site.devices_of(bench.worker) == ["a:22", "c:22", "d:22"]
    assert bench.let_go == set()


async def test_release_closes_what_rests_and_keeps_what_has_jobs(bench: Bench) -> None:
    await bench.hold("a", "b")
    waiting = await bench.site.submit_one("b")
    bench.holdings.release(["a:22", "b:22", "unknown:22"])
    assert bench.sessions.held == 0
    await bench.holdings.tidy()

    assert await bench.site.devices_of(bench.worker) == ["b:22"]
    assert await bench.site.claim(bench.worker) == [waiting]


async def test_release_leaves_a_running_job_alone(bench: Bench) -> None:
    await bench.hold("a")
    running = await bench.site.submit_one("a")
    await bench.site.claim(bench.worker)
    async with bench.sessions.lease(bench.driver.target(Login(host="a")), lambda: None):
        bench.holdings.release(["a:22"])
        await bench.holdings.tidy()
        assert [held.session.alive() for held in bench.sessions.kept] == [True]
    await bench.site.finish(bench.worker, running)

    assert await bench.site.devices_of(bench.worker) == ["a:22"]


async def test_sessions_on_others_devices_are_closed_though_nobody_said_so(bench: Bench) -> None:
    await bench.hold("a", "b", "c")
    other = await bench.site.worker()
    await bench.site.connection.execute("UPDATE netpulse.device SET worker_id = $1 WHERE key = 'b:22'", other)
    bench.holdings.COMPARE_S = -1
    await bench.holdings.tidy()

    assert sorted(held.target.device_key for held in bench.sessions.kept) == ["a:22", "c:22"]
    assert await bench.site.holder("b") == other
    assert await bench.reported() == [("a:22", "fake", "admin"), ("c:22", "fake", "admin")]


async def test_what_could_not_be_told_is_told_later(bench: Bench, pool: Pool) -> None:
    await bench.hold("a", "b", "c", "d")
    keeping = asyncio.create_task(bench.holdings.keep(0.01))
    kill = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""

    async def told() -> bool:
        return len(await bench.reported()) == 3 and len(await bench.site.devices_of(bench.worker)) == 3

    await bench.site.connection.execute(kill)
    await until_async(told, "sessions and devices are as they should be")
    keeping.cancel()
