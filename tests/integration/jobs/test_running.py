"""run_job with devices in memory and a real queue: what is asked of the device, and what is kept."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from drivers.base import Arguments
from drivers.errors import LeaseLost
from drivers.pool import PoolLimits, SessionPool
from jobs.database import Pool
from jobs.queue import Claimed, JobQueue
from jobs.results import ErrorType
from jobs.run import run_job
from jobs.seal import Seal, new_key
from jobs.world import Running, World
from tests.integration.jobs.conftest import Site, new_job, queue_worker
from tests.unit.drivers.fakes import FakeDriver, FakeSession
from tests.waiting import until, until_async

pytestmark = pytest.mark.anyio

SEAL = Seal([new_key()])
LOGIN = SEAL.seal('{"connection_args": {"host": "r1"}}')


class Bench:
    """A worker's world with one job claimed at a time."""

    def __init__(self, site: Site, pool: Pool, worker: int) -> None:
        self.site = site
        self.driver = FakeDriver()
        drivers = {"netmiko": self.driver, "fake": self.driver}
        self.sessions = SessionPool(drivers, PoolLimits(), on_let_go=lambda _key: None)
        self.queue = JobQueue(pool, worker)
        self.world = World(drivers, self.sessions, SEAL, self.queue, lambda: None)

    async def claimed(self, *lines: str, operation: str = "command", **fields: object) -> Claimed:
        """A job of these lines that the worker has claimed."""
        request: dict[str, Any] = {"request": {operation: lines}, "operation": operation, "sealed": LOGIN}
        await self.site.submit(new_job(**{**request, **fields}))
        [job] = await self.queue.claim(queue_worker(self.queue.worker_id), 1)
        return job

    async def holding(self) -> FakeSession:
        """The first session, once a call of it holds."""
        [session] = await asyncio.to_thread(until, lambda: self.driver.sessions[:1], "a session")
        assert await asyncio.to_thread(session.holding.wait, 10)
        return session


@pytest.fixture
async def bench(site: Site, pool: Pool) -> AsyncIterator[Bench]:
    bench = Bench(site, pool, await site.worker())
    yield bench
    await bench.sessions.close()


async def test_a_query_runs_and_its_outputs_are_kept_on_the_way(bench: Bench) -> None:
    job = await bench.claimed("one", "hold", execution_timeout_s=1)
    running = asyncio.create_task(run_job(bench.world, job))
    await until_async(lambda: bench.site.outputs(job.id), "the first output")
    outcome = await running

    assert (outcome.error_type, [reply.command for reply in outcome.outputs]) == (ErrorType.EXECUTION_TIMEOUT, ["one"])


async def test_a_job_called_off_before_it_began_touches_no_device(bench: Bench) -> None:
    job = await bench.claimed("one")
    bench.world.stop(job.id)  # the word came between the claim and the start
    outcome = await run_job(bench.world, job)

    assert (outcome.state, outcome.error_type, outcome.outcome) == ("cancelled", ErrorType.CANCELLED, "known")
    assert bench.driver.sessions == []


async def test_a_running_job_is_called_off(bench: Bench) -> None:
    job = await bench.claimed("hold", operation="config")
    running = asyncio.create_task(run_job(bench.world, job))
    await bench.holding()
    bench.world.stop(job.id)
    outcome = await running

    assert (outcome.state, outcome.outcome) == ("cancelled", "unknown")
    assert bench.world.running == {}


async def test_a_change_is_durably_begun_before_its_first_byte(bench: Bench) -> None:
    job = await bench.claimed("hold", operation="config")
    running = asyncio.create_task(run_job(bench.world, job))
    session = await bench.holding()

    assert await bench.site.states(job.id) == ["started"]
    session.abort()
    assert (await running).outcome == "unknown"


async def test_a_change_that_was_taken_away_is_not_written(bench: Bench) -> None:
    job = await bench.claimed("line", operation="config")
    await bench.site.reap(bench.queue.worker_id)
    with pytest.raises(LeaseLost):
        await run_job(bench.world, job)

    assert bench.driver.sessions[0].events == ["open", "abort", "close"]


async def test_an_overdue_job_touches_no_device(bench: Bench) -> None:
    outcome = await run_job(bench.world, await bench.claimed("one", ttl_s=-1))

    assert outcome.error_type is ErrorType.EXPIRED
    assert bench.driver.sessions == []


async def test_a_seal_under_an_unknown_key_is_a_credential_error(bench: Bench) -> None:
    sealed = Seal([new_key()]).seal("{}")
    outcome = await run_job(bench.world, await bench.claimed("one", sealed=sealed))

    assert outcome.error_type is ErrorType.CREDENTIAL_ERROR


async def test_a_request_that_is_no_longer_valid_fails_the_job_only(bench: Bench) -> None:
    bench.driver.connection_args = Arguments  # does not know `host`: a model that changed under a sealed login
    outcome = await run_job(bench.world, await bench.claimed("one"))

    assert outcome.error_type is ErrorType.INVALID_REQUEST
    assert "r1" not in str(outcome.error_message)


async def test_stopping_again_what_is_being_aborted_is_harmless() -> None:
    async def overdue() -> None:
        async with asyncio.timeout(0) as scope:
            running.append(Running(scope))
            try:
                await asyncio.Event().wait()
            finally:  # the thread leaves the device; meanwhile somebody wants the job stopped
                running[0].stop()

    running: list[Running] = []
    with pytest.raises(TimeoutError):
        await overdue()
    assert not running[0].asked_to_stop
