"""claim_jobs and start_job: who gets which job, and when a change may begin."""

import asyncio

import asyncpg
import pytest

from tests.integration.jobs.conftest import Site, blocked, new_job

pytestmark = pytest.mark.anyio


async def test_one_job_per_device_in_order(site: Site) -> None:
    worker = await site.worker()
    a1, a2, b1 = [row["id"] for row in await site.submit(new_job("a"), new_job("a"), new_job("b"))]

    assert await site.claim(worker) == [a1, b1]
    assert await site.claim(worker) == []
    await site.finish(worker, a1)
    assert await site.claim(worker) == [a2]


async def test_priority_first_then_age(site: Site) -> None:
    worker = await site.worker()
    jobs = [new_job("a"), new_job("a", priority=9), new_job("b", priority=5), new_job("c", strategy="fifo", priority=7)]
    _low, high, middle, fifo = [row["id"] for row in await site.submit(*jobs)]

    assert await site.claim(worker, 2) == [high, fifo]
    assert await site.claim(worker, 2) == [middle]


async def test_what_a_worker_gets_to_know(site: Site) -> None:
    worker = await site.worker()
    job = await site.submit_one(priority=3, max_attempts=4, execution_timeout_s=1.5)
    [row] = await site.claim_rows(worker)

    assert (row["id"], row["device_key"], row["strategy"], row["priority"]) == (job, "r1:22", "pinned", 3)
    assert (row["sealed"], row["request"]) == (b"sealed", {"command": ["show version"]})
    assert (row["attempts"], row["max_attempts"], row["execution_timeout_s"]) == (1, 4, 1.5)
    assert row["expired"] is False


async def test_pinned_jobs_go_to_the_holder_only(site: Site) -> None:
    holder = await site.worker()
    job = await site.submit_one()
    stranger = await site.worker()

    assert await site.claim(stranger) == []
    assert await site.claim(holder) == [job]


async def test_fifo_jobs_of_one_device_run_in_parallel_anywhere_in_the_zone(site: Site) -> None:
    one, two, far = await site.worker(), await site.worker(), await site.worker(zone="far")
    jobs = [row["id"] for row in await site.submit(*[new_job(strategy="fifo")] * 4)]

    assert await site.claim(far) == []
    assert await site.claim(one, 2) == jobs[:2]
    assert await site.claim(two) == jobs[2:]


async def test_two_claims_at_once_never_get_the_same_fifo_job(site: Site, other: Site) -> None:
    one, two = await site.worker(), await site.worker()
    jobs = [row["id"] for row in await site.submit(*[new_job(strategy="fifo")] * 6)]
    async with site.connection.transaction():
        mine = await site.claim(one, 3)
        theirs = await other.claim(two)  # does not wait for the first to commit

    assert (mine, theirs) == (jobs[:3], jobs[3:])


async def test_a_change_is_claimed_a_query_is_started(site: Site) -> None:
    worker = await site.worker()
    change, query = await site.submit_one("a", operation="config"), await site.submit_one("b")
    await site.claim(worker)

    assert await site.states(change, query) == ["claimed", "started"]
    assert await site.start(worker, change) is True
    assert await site.states(change) == ["started"]


async def test_starting_again_is_allowed_as_the_first_answer_may_be_lost(site: Site) -> None:
    worker = await site.worker()
    change = await site.submit_one(operation="config")
    await site.claim(worker)

    assert [await site.start(worker, change), await site.start(worker, change)] == [True, True]


async def test_only_its_own_worker_may_start_a_change(site: Site) -> None:
    worker, stranger = await site.worker(), await site.worker()
    change = await site.submit_one(operation="config")
    assert await site.start(await site.holder() or 0, change) is False  # still queued
    holder = await site.holder()
    assert holder is not None
    await site.claim(holder)

    assert await site.start(stranger if holder == worker else worker, change) is False
    await site.reap(holder)
    assert await site.start(holder, change) is False


async def test_an_overdue_job_is_marked(site: Site) -> None:
    worker = await site.worker()
    await site.submit_one(ttl_s=0)
    [row] = await site.claim_rows(worker)

    assert row["expired"] is True


async def test_a_dead_worker_claims_nothing(site: Site) -> None:
    worker = await site.worker()
    await site.submit_one(strategy="fifo")
    await site.reap(worker)

    with pytest.raises(asyncpg.PostgresError) as raised:
        await site.claim(worker)
    assert raised.value.sqlstate == "NP001"


async def test_a_claim_waits_for_the_reaper_and_then_fails(site: Site, other: Site) -> None:
    worker = await site.worker()
    await site.submit_one(strategy="fifo")
    transaction = site.connection.transaction()
    await transaction.start()
    await site.reap(worker)
    claim = asyncio.create_task(other.claim(worker))
    await blocked(site)
    await transaction.commit()

    with pytest.raises(asyncpg.PostgresError, match="declared dead"):
        await claim
    assert await site.queue() == [("fifo:default", "todo")]


async def test_a_heartbeat_and_a_claim_do_not_wait_for_each_other(site: Site, other: Site) -> None:
    worker = await site.worker()
    await site.submit_one()
    async with site.connection.transaction():
        assert len(await site.claim(worker)) == 1
        beat = other.connection.fetchval("SELECT netpulse.heartbeat($1, 0, 0, 0, 0)", worker)
        assert await asyncio.wait_for(beat, 5) == "live"


async def test_a_long_backlog_of_one_device_hides_no_other(site: Site) -> None:
    worker = await site.worker()
    await site.submit(*[new_job("a")] * 300)
    last = await site.submit_one("b")

    assert len(await site.claim(worker, 1)) == 1
    assert await site.claim(worker, 1) == [last]


async def test_only_the_devices_named_are_looked_at(site: Site) -> None:
    worker = await site.worker()
    a, b, _c, fifo = [
        row["id"]
        for row in await site.submit(
            new_job("a"), new_job("b", priority=1), new_job("c"), new_job("d", strategy="fifo")
        )
    ]

    assert await site.claim(worker, devices=[]) == [fifo]
    assert await site.claim(worker, devices=["a:22", "b:22", "none:22"]) == [b, a]


async def test_a_device_named_that_is_busy_gets_nothing(site: Site) -> None:
    worker = await site.worker()
    first, second = [row["id"] for row in await site.submit(new_job("a"), new_job("a"))]

    assert await site.claim(worker, devices=["a:22"]) == [first]
    assert await site.claim(worker, devices=["a:22"]) == []
    await site.finish(worker, first)
    assert await site.claim(worker, devices=["a:22"]) == [second]


async def test_a_device_of_another_worker_may_be_named_in_vain(site: Site) -> None:
    holder = await site.worker()
    job = await site.submit_one("a")
    stranger = await site.worker()

    assert await site.claim(stranger, devices=["a:22"]) == []
    assert await site.claim(holder, devices=["a:22"]) == [job]
