"""The API's snapshot of the workers, and what it proposes by it."""

from collections.abc import AsyncIterator
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from jobs.candidates import Candidates
from jobs.placement import load_policy
from tests.integration.jobs.conftest import Site, new_job

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """As the API has it."""
    engine = create_async_engine(database.replace("postgresql:", "postgresql+asyncpg:"), isolation_level="AUTOCOMMIT")
    yield engine
    await engine.dispose()


def candidates(engine: AsyncEngine, policy: str = "least_load") -> Candidates:
    return Candidates(engine, load_policy(policy), Random(1))


async def test_it_follows_the_devices_that_are_held(site: Site, engine: AsyncEngine) -> None:
    full, empty = await site.worker(), await site.worker()
    await site.submit(*(new_job(f"r{n}", preferred_worker=full) for n in range(4)))

    assert sorted(await candidates(engine).propose("default", 6), key=str) == [full] + [empty] * 5


async def test_it_remembers_what_it_proposed(site: Site, engine: AsyncEngine) -> None:
    one, two = await site.worker(), await site.worker()
    asked = candidates(engine)
    proposed = [(await asked.propose("default", 1))[0] for _ in range(10)]

    assert (proposed.count(one), proposed.count(two)) == (5, 5)


async def test_zones_and_workers_that_leave(site: Site, engine: AsyncEngine) -> None:
    near, far = await site.worker(), await site.worker(zone="far")
    asked = candidates(engine)
    assert await asked.propose("default", 2) == [near, near]
    assert await asked.propose("far", 1) == [far]
    assert await asked.propose("nowhere", 2) == [None, None]

    await site.stop_workers(near)
    await asked.refresh()
    assert await asked.propose("default", 1) == [None]


async def test_a_zone_is_served_as_soon_as_a_worker_is_there(site: Site, engine: AsyncEngine) -> None:
    asked = candidates(engine)
    assert await asked.serves("default") is False
    await site.worker()
    assert await asked.serves("default") is True


async def test_a_policy_that_names_a_stranger_is_no_fault(site: Site, engine: AsyncEngine) -> None:
    await site.worker()
    asked = Candidates(engine, lambda _candidates, count, _random: [-1] * count)

    assert await asked.propose("default", 2) == [-1, -1]  # SQL passes it over
