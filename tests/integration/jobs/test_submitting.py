"""submit_jobs: order, placement, idempotency."""

import asyncio
from datetime import timedelta

import pytest

from tests.integration.jobs.conftest import Site, blocked, new_job

pytestmark = pytest.mark.anyio


async def test_a_device_gets_a_worker_and_keeps_it(site: Site) -> None:
    first = await site.worker()
    await site.submit_one()
    await site.worker()
    [again] = await site.submit(new_job())

    assert (await site.holder(), again["worker_id"]) == (first, first)
    assert await site.queue() == [(f"w:{first}", "todo")] * 2


async def test_devices_spread_over_the_workers_of_their_zone(site: Site) -> None:
    workers = {await site.worker(), await site.worker()}
    elsewhere = await site.worker(zone="far")
    placed = [row["worker_id"] for row in await site.submit(*(new_job(f"r{number}") for number in range(6)))]

    assert elsewhere not in placed
    assert {worker: placed.count(worker) for worker in workers} == dict.fromkeys(workers, 3)


async def test_workers_with_room_come_before_full_ones(site: Site) -> None:
    small, large = await site.worker(capacity=1), await site.worker(capacity=100)
    placed = [row["worker_id"] for row in await site.submit(*(new_job(f"r{number}") for number in range(6)))]

    assert (placed.count(small), placed.count(large)) == (1, 5)


async def test_without_a_worker_jobs_wait_in_their_zone(site: Site) -> None:
    await site.submit(new_job("r1"), new_job("r2", strategy="fifo"))

    assert await site.queue() == [("pinned:default", "todo"), ("fifo:default", "todo")]
    assert await site.holder("r1") is None
    assert await site.connection.fetchval("SELECT count(*) FROM netpulse.device") == 1  # a fifo job needs no device row


async def test_the_order_of_commits_is_the_order_on_the_device(site: Site, other: Site) -> None:
    worker = await site.worker()
    await site.submit_one()
    transaction = site.connection.transaction()
    await transaction.start()
    await site.connection.execute("SELECT FROM netpulse.device WHERE key = 'r1:22' FOR UPDATE")
    late = asyncio.create_task(other.submit_one())  # begins first, gets the lock second
    await blocked(site)
    early = await site.submit_one()
    await transaction.commit()

    assert early < await late
    order = []
    for _ in range(3):
        [job] = await site.claim(worker)
        order.append(job)
        await site.finish(worker, job)
    assert order[1:] == [early, await late]


async def test_all_or_nothing(site: Site) -> None:
    with pytest.raises(Exception, match="job_operation_check"):
        await site.submit(new_job("r1"), new_job("r2", operation="dance"))

    assert await site.queue() == []
    assert await site.connection.fetchval("SELECT count(*) FROM netpulse.job") == 0


async def test_one_key_is_one_job_however_many_ask_at_once(site: Site, other: Site) -> None:
    job = new_job(idempotency_key="k", request_hashes=["h"])
    transaction = site.connection.transaction()
    await transaction.start()
    [first] = await site.submit(job)
    second = asyncio.create_task(other.submit(job))
    await blocked(site)
    await transaction.commit()
    [again] = await second

    assert (first["created"], again["created"], again["conflict"]) == (True, False, False)
    assert again["id"] == first["id"]
    assert len(await site.queue()) == 1


async def test_a_key_that_was_rolled_back_is_free(site: Site, other: Site) -> None:
    job = new_job(idempotency_key="k", request_hashes=["h"])
    transaction = site.connection.transaction()
    await transaction.start()
    await site.submit(job)
    second = asyncio.create_task(other.submit(job))
    await blocked(site)
    await transaction.rollback()

    assert (await second)[0]["created"] is True
    assert len(await site.queue()) == 1


async def test_one_key_for_two_requests_is_a_conflict(site: Site) -> None:
    [first] = await site.submit(new_job(idempotency_key="k", request_hashes=["new", "old"]))
    [conflict] = await site.submit(new_job(idempotency_key="k", request_hashes=["other"]))
    [elses] = await site.submit(new_job(idempotency_key="k", request_hashes=["other"], submitted_by="else"))

    assert (conflict["conflict"], conflict["created"], conflict["id"]) == (True, False, first["id"])
    assert elses["created"] is True


async def test_a_key_survives_a_rotation_of_the_secret_keys(site: Site) -> None:
    await site.submit(new_job(idempotency_key="k", request_hashes=["by old key"]))
    [again] = await site.submit(new_job(idempotency_key="k", request_hashes=["by new key", "by old key"]))

    assert (again["created"], again["conflict"]) == (False, False)


async def test_a_key_counts_for_a_day(site: Site) -> None:
    job = new_job(idempotency_key="k", request_hashes=["h"])
    [first] = await site.submit(job)
    age = "UPDATE netpulse.job SET created_at = created_at - $1::interval"
    await site.connection.execute(age, timedelta(hours=23, minutes=59))
    [same] = await site.submit(job)
    await site.connection.execute(age, timedelta(minutes=2))
    [anew] = await site.submit(job)

    assert (same["id"], anew["created"]) == (first["id"], True)


async def test_ids_are_in_order_and_times_find_them(site: Site) -> None:
    before = await site.connection.fetchval("SELECT netpulse.uuid7_floor(clock_timestamp())")
    ids = [row["id"] for row in await site.submit(*(new_job(f"r{number % 7}") for number in range(500)))]
    ids.append(await site.submit_one())
    after = await site.connection.fetchval("SELECT netpulse.uuid7_floor(clock_timestamp())")

    assert ids == sorted(set(ids))
    assert all(id_.version == 7 and id_.variant == "specified in RFC 4122" for id_ in ids)
    assert before <= ids[0]
    assert ids[-1] < after
    last = (await site.job(ids[-1]))["created_at"]
    floor = "SELECT netpulse.uuid7_floor($1)"
    assert await site.connection.fetchval(floor, last) <= ids[-1]
    assert ids[-1] < await site.connection.fetchval(floor, last + timedelta(milliseconds=1))


async def test_a_time_before_1970_is_a_floor_too(site: Site) -> None:
    floor = await site.connection.fetchval("SELECT netpulse.uuid7_floor('1960-01-01Z')")
    assert floor.int >> 80 == 0
