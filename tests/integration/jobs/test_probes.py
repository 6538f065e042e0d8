"""The operation `test`: a login of its own, and what is kept of it."""

from collections.abc import AsyncIterator

import pytest

from drivers.pool import PoolLimits, SessionPool
from jobs.database import Pool
from jobs.queue import Claimed, JobQueue
from jobs.results import ErrorType, Outcome
from jobs.run import run_job
from jobs.seal import Seal, new_key
from jobs.world import World
from tests.integration.jobs.conftest import Site, new_job, queue_worker
from tests.unit.drivers.fakes import FakeDriver

pytestmark = pytest.mark.anyio

SEAL = Seal([new_key()])


class Bench:
    """A worker's world, in which pinned and fifo jobs of one login run."""

    def __init__(self, site: Site, pool: Pool, worker: int) -> None:
        self.site = site
        self.driver = FakeDriver()
        drivers = {"netmiko": self.driver, "fake": self.driver}
        self.sessions = SessionPool(drivers, PoolLimits(), on_let_go=lambda _key: None)
        self.queue = JobQueue(pool, worker)
        self.world = World(drivers, self.sessions, SEAL, self.queue, lambda: None)

    async def run(self, operation: str, strategy: str, username: str = "admin") -> Outcome:
        """One job, from its submission to its outcome, which is stored."""
        sealed = SEAL.seal(f'{{"connection_args": {{"host": "r1", "username": "{username}"}}}}')
        request = {"command": ["one"]} if operation == "command" else {}
        await self.site.submit(new_job(operation=operation, strategy=strategy, request=request, sealed=sealed))
        [job] = await self.queue.claim(queue_worker(self.queue.worker_id), 1)
        outcome = await run_job(self.world, job)
        assert await self._stored(job, outcome)
        return outcome

    async def _stored(self, job: Claimed, outcome: Outcome) -> bool:
        return await self.queue.finish([(job, outcome)]) == {job.id}


@pytest.fixture
async def bench(site: Site, pool: Pool) -> AsyncIterator[Bench]:
    bench = Bench(site, pool, await site.worker())
    yield bench
    await bench.sessions.close()


async def test_it_tells_the_prompt_and_the_logins_time(bench: Bench) -> None:
    outcome = await bench.run("test", "fifo")

    assert (outcome.state, outcome.session_reused) == ("finished", False)
    [reply] = outcome.outputs
    assert (reply.command, reply.stdout) == ("test connection", "r1#")
    assert 0 < reply.duration_s < 5
    assert reply.parsed == {"device_type": None}
    assert bench.driver.sessions[0].events == ["open", "close"]


async def test_it_leaves_a_held_session_alone(bench: Bench) -> None:
    await bench.run("command", "pinned")
    await bench.run("test", "fifo")
    outcome = await bench.run("command", "pinned")

    held, own = bench.driver.sessions
    assert outcome.session_reused is True
    assert held.events == ["open", "one", "one"]
    assert own.events == ["open", "close"]


async def test_no_login_is_a_failed_job(bench: Bench) -> None:
    outcome = await bench.run("test", "fifo", username="refuse")

    assert (outcome.state, outcome.error_type, outcome.outcome) == ("failed", ErrorType.UNREACHABLE, "known")
    assert list(outcome.outputs) == []
