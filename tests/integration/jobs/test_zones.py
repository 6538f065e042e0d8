"""Zones: where a job waits and runs, and how a device moves from one to another; and which worker a policy prefers."""

import asyncio

import pytest

from tests.integration.jobs.conftest import Site, blocked, hear_worker, new_job

pytestmark = pytest.mark.anyio


async def test_an_idle_device_moves_and_its_holder_is_told(site: Site, other: Site) -> None:
    near, far = await site.worker(), await site.worker(zone="far")
    await site.hold(near, "r1")
    told = await hear_worker(other, near)
    [moved] = await site.submit(new_job(zone="far"))

    assert (moved["worker_id"], moved["held_in"], moved["created"]) == (far, None, True)
    assert await told.next() == "release r1:22"
    assert await site.claim(far) == [moved["id"]]
    assert await site.connection.fetchval("SELECT epoch FROM netpulse.device") == 3  # held, let go, held


@pytest.mark.parametrize("running", [True, False])
async def test_a_device_with_jobs_stays_where_they_are(site: Site, running: bool) -> None:
    near, _far = await site.worker(), await site.worker(zone="far")
    first = await site.submit_one()
    if running:
        await site.claim(near)
    [held, free] = await site.submit(new_job(zone="far"), new_job("r2", zone="far"))

    assert (held["held_in"], held["id"], held["created"], held["conflict"]) == ("default", None, False, False)
    assert (held["worker_id"], held["host"], held["strategy"]) == (near, "r1", "pinned")
    assert (free["held_in"], free["created"]) == (None, True)
    assert len(await site.queue()) == 2
    assert await site.states(first) == ["started" if running else "queued"]


async def test_jobs_that_wait_for_a_worker_keep_their_zone_too(site: Site) -> None:
    first = await site.submit_one()
    [held] = await site.submit(new_job(zone="far"))
    await site.cancel(job=first)
    [moved] = await site.submit(new_job(zone="far"))

    assert (held["held_in"], moved["held_in"]) == ("default", None)
    assert await site.queue() == [("pinned:far", "todo")]


async def test_one_device_in_two_zones_at_once(site: Site) -> None:
    rows = await site.submit(new_job(zone="near"), new_job(zone="far"), new_job(zone="near"))

    assert [row["held_in"] for row in rows] == [None, "near", None]
    assert await site.queue() == [("pinned:near", "todo")] * 2


async def test_fifo_jobs_go_anywhere_at_any_time(site: Site) -> None:
    await site.submit_one()
    [row] = await site.submit(new_job(zone="far", strategy="fifo"))

    assert row["held_in"] is None
    assert await site.queue() == [("pinned:default", "todo"), ("fifo:far", "todo")]


async def test_a_key_is_not_used_up_by_a_refusal(site: Site) -> None:
    first = await site.submit_one()
    again = new_job(zone="far", idempotency_key="k", request_hashes=["h"])
    [held] = await site.submit(again)
    await site.cancel(job=first)
    [accepted] = await site.submit(again)

    assert (held["held_in"], accepted["created"]) == ("default", True)


async def test_a_move_sees_the_job_that_its_lock_waited_for(site: Site, other: Site) -> None:
    await site.hold(await site.worker(), "r1")
    transaction = site.connection.transaction()
    await transaction.start()
    await site.submit_one()
    move = asyncio.create_task(other.submit(new_job(zone="far")))
    await blocked(site)
    await transaction.commit()

    assert (await move)[0]["held_in"] == "default"


async def test_the_preferred_worker_gets_the_device(site: Site) -> None:
    workers = [await site.worker() for _ in range(3)]
    rows = await site.submit(*(new_job(f"r{n}", preferred_worker=workers[1]) for n in range(4)))

    assert {row["worker_id"] for row in rows} == {workers[1]}


@pytest.mark.parametrize("gone", ["dead", "draining", "elsewhere"])
async def test_a_preferred_worker_that_will_not_do_is_passed_over(site: Site, gone: str) -> None:
    preferred = await site.worker(zone="far" if gone == "elsewhere" else "default")
    stays = await site.worker()
    if gone == "dead":
        await site.reap(preferred)
    elif gone == "draining":
        await site.stop_workers(preferred)
    rows = await site.submit(new_job(preferred_worker=preferred), new_job("r2", preferred_worker=-1))

    assert [row["worker_id"] for row in rows] == [stays, stays]


async def test_a_preferred_worker_that_is_being_reaped_is_not_waited_for(site: Site, other: Site) -> None:
    dying, stays = await site.worker(), await site.worker()
    async with site.connection.transaction():
        await site.reap(dying)
        [row] = await asyncio.wait_for(other.submit(new_job(preferred_worker=dying)), 5)

    assert row["worker_id"] == stays


async def test_a_held_device_stays_whatever_is_preferred(site: Site) -> None:
    holder, idle = await site.worker(), await site.worker()
    await site.hold(holder, "r1")
    [row] = await site.submit(new_job(preferred_worker=idle))

    assert row["worker_id"] == holder
