"""A joining worker takes over idle devices, and nothing else: no job is disturbed, none loses its place."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from tests.integration.jobs.conftest import Connect, Site, blocked, hear_worker, new_job

pytestmark = pytest.mark.anyio


def names(count: int) -> list[str]:
    return [f"r{number:03d}" for number in range(count)]


async def test_a_joining_worker_takes_its_share_and_the_giver_is_told(site: Site, other: Site) -> None:
    giver = await site.worker(capacity=100)
    await site.hold(giver, *names(20))
    joined = await site.worker(capacity=100)
    told = await hear_worker(other, giver)

    assert await site.rebalance(joined) == 10
    assert (len(await site.devices_of(giver)), await site.rebalance(joined), await site.rebalance(giver)) == (10, 0, 0)
    verb, *keys = (await told.next()).split()
    assert (verb, keys) == ("release", await site.devices_of(joined))
    assert await site.connection.fetchval("SELECT sum(epoch) FROM netpulse.device") == 30


async def test_a_little_at_a_time(site: Site) -> None:
    await site.hold(await site.worker(capacity=100), *names(20))
    joined = await site.worker(capacity=100)

    assert [await site.rebalance(joined, 4) for _ in range(4)] == [4, 4, 2, 0]


async def test_the_share_is_by_capacity_and_the_most_loaded_give(site: Site) -> None:
    large, small = await site.worker(capacity=300), await site.worker(capacity=50)
    await site.hold(large, *names(30))
    await site.hold(small, *(f"s{number}" for number in range(10)))
    joined = await site.worker(capacity=50)

    assert await site.rebalance(joined) == 5
    assert [len(await site.devices_of(worker)) for worker in (large, small, joined)] == [30, 5, 5]


@pytest.mark.parametrize(("mine", "theirs"), [(0, 2), (9, 11), (95, 105)])
async def test_small_differences_stay(site: Site, mine: int, theirs: int) -> None:
    one, two = await site.worker(capacity=200), await site.worker(capacity=200)
    await site.hold(one, *names(theirs))
    await site.hold(two, *(f"s{number}" for number in range(mine)))

    assert await site.rebalance(two) == 0


async def test_other_zones_and_leaving_workers_take_no_part(site: Site) -> None:
    await site.hold(await site.worker(), *names(10))
    far, leaving = await site.worker(zone="far"), await site.worker()
    await site.connection.execute("UPDATE netpulse.worker SET state = 'draining' WHERE id = $1", leaving)

    assert (await site.rebalance(far), await site.rebalance(leaving)) == (0, 0)


async def test_devices_with_jobs_stay(site: Site) -> None:
    giver = await site.worker()
    await site.hold(giver, *names(8))
    running, waiting = await site.submit_one("r000"), await site.submit_one("r001", priority=-1)
    assert await site.claim(giver, 1) == [running]
    joined = await site.worker()

    assert await site.rebalance(joined) == 4
    assert await site.devices_of(joined) == [f"{name}:22" for name in ("r002", "r003", "r004", "r005")]
    assert await site.claim(giver) == [waiting]


async def test_a_submission_in_flight_keeps_its_device(site: Site, other: Site) -> None:
    giver = await site.worker()
    await site.hold(giver, *names(4))
    joined = await site.worker()
    async with site.connection.transaction():
        await site.submit(new_job("r000"), new_job("r001"))
        assert await other.rebalance(joined) == 2  # does not wait

    assert await site.devices_of(giver) == ["r000:22", "r001:22"]


@pytest.mark.parametrize("step", ["claim", "finish", "requeue"])
async def test_a_claim_or_a_finish_in_flight_keeps_the_device(site: Site, other: Site, step: str) -> None:
    giver = await site.worker()
    await site.hold(giver, *names(4))
    job = await site.submit_one("r000")
    if step != "claim":
        await site.claim(giver)
    joined = await site.worker()
    async with site.connection.transaction():
        if step == "claim":
            await site.claim(giver)
        elif step == "finish":
            await site.finish(giver, job)
        else:
            await site.connection.execute("SELECT netpulse.reconcile_jobs($1, '{}')", giver)
        assert await other.rebalance(joined) == 2

    assert await site.holder("r000") == giver


async def test_a_submission_that_waited_for_the_change_finds_the_new_holder(site: Site, other: Site) -> None:
    await site.hold(await site.worker(), *names(4))
    joined = await site.worker()
    transaction = site.connection.transaction()
    await transaction.start()
    await site.rebalance(joined)
    late = asyncio.create_task(other.submit(new_job("r000")))
    await blocked(site)
    await transaction.commit()

    assert (await late)[0]["worker_id"] == joined
    assert await site.claim(joined) == [(await late)[0]["id"]]


async def test_a_giver_that_is_reaped_meanwhile_gives_the_rest(site: Site, other: Site) -> None:
    giver = await site.worker()
    await site.hold(giver, *names(4))
    joined = await site.worker()
    transaction = site.connection.transaction()
    await transaction.start()
    await site.rebalance(joined)
    reap = asyncio.create_task(other.reap(giver))
    await blocked(site)
    await transaction.commit()
    await reap

    assert (len(await site.devices_of(joined)), await site.devices_of(giver)) == (2, [])


async def test_one_joins_at_a_time(site: Site, other: Site) -> None:
    await site.hold(await site.worker(), *names(9))
    one, two = await site.worker(), await site.worker()
    async with site.connection.transaction():
        assert await site.rebalance(one) == 3
        assert await other.rebalance(two) == 0
    assert await other.rebalance(two) == 3


async def test_ten_thousand_keys_come_in_several_notices(site: Site, other: Site) -> None:
    worker = await site.worker()
    told = await hear_worker(other, worker)
    keys = [f"{'x' * 200}-{number}.example:22" for number in range(100)]
    await site.connection.execute("SELECT netpulse.tell_to_release($1, $2)", worker, keys)
    heard: list[str] = []
    while len(heard) < len(keys):
        payload = await told.next()
        assert len(payload) < 8000
        heard += payload.split()[1:]

    assert sorted(heard) == sorted(keys)


async def test_load_while_devices_change_hands(site: Site, connections: Connect) -> None:
    """Submitters and claimers at full speed while workers join: every job runs once, in order, on the holder."""
    first = await site.worker(capacity=100)
    devices = names(24)
    await site.hold(first, *devices)
    workers = [first, await site.worker(capacity=100), await site.worker(capacity=100)]
    submitted: dict[str, list[UUID]] = {device: [] for device in devices}
    ran: list[UUID] = []
    done = asyncio.Event()

    async def submit(own: Site, share: list[str]) -> None:
        for _ in range(15):
            for device in share:
                submitted[device].append(await own.submit_one(device))

    async def work(own: Site, worker: int) -> None:
        while not done.is_set() or await own.connection.fetchval("SELECT count(*) FROM procrastinate_jobs"):
            jobs = await own.claim(worker, 8)
            ran.extend(jobs)
            assert sorted(await own.finish(worker, *jobs)) == sorted(jobs)
            await own.rebalance(worker, 3)

    sites = [Site(await connections()) for _ in range(6)]
    working = [asyncio.create_task(work(own, worker)) for own, worker in zip(sites[:3], workers, strict=True)]
    await asyncio.gather(*(submit(own, devices[number::3]) for number, own in enumerate(sites[3:])))
    done.set()
    await asyncio.wait_for(asyncio.gather(*working), 60)

    assert Counter(ran) == Counter(job for jobs in submitted.values() for job in jobs)
    for jobs in submitted.values():
        assert [job for job in ran if job in jobs] == jobs
        for row in [await site.job(job) for job in jobs]:
            assert row["state"] == "finished"
    assert min([len(await site.devices_of(worker)) for worker in workers]) > 0
