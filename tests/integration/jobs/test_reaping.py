"""What becomes of a worker's jobs and devices: reaped, drained, reconciled, adopted, released."""

import asyncio

import pytest

from tests.integration.jobs.conftest import Site, blocked, new_job

pytestmark = pytest.mark.anyio


async def test_a_query_goes_back_without_its_outputs(site: Site) -> None:
    worker = await site.worker()
    job = await site.submit_one()
    await site.claim(worker)
    await site.record(worker, job, "half of it")
    done = await site.reap(worker)

    assert done == {"lost": 0, "requeued": 1, "moved": 1}
    row = await site.job(job)
    assert (row["state"], row["worker_id"], row["started_at"], row["attempts"]) == ("queued", None, None, 1)
    assert row["sealed"] == b"sealed"
    assert await site.outputs(job) == []
    assert await site.queue() == [("pinned:default", "todo")]


async def test_a_change_goes_back_only_if_it_never_began(site: Site) -> None:
    worker = await site.worker()
    began, claimed = await site.submit_one("a", operation="config"), await site.submit_one("b", operation="config")
    await site.claim(worker)
    await site.start(worker, began)
    done = await site.reap(worker)

    assert done == {"lost": 1, "requeued": 1, "moved": 1}
    lost = await site.job(began)
    assert (lost["state"], lost["error_type"], lost["outcome"]) == ("failed", "WorkerLost", "unknown")
    assert (lost["sealed"], lost["queue_job_id"]) == (None, None)
    assert await site.states(claimed) == ["queued"]
    assert await site.queue() == [("pinned:default", "todo")]


async def test_a_query_that_kills_its_workers_is_given_up(site: Site) -> None:
    job = await site.submit_one(strategy="fifo")
    for _ in range(5):
        worker = await site.worker()
        assert await site.claim(worker) == [job]
        await site.reap(worker)

    row = await site.job(job)
    assert (row["state"], row["error_type"], row["outcome"], row["attempts"]) == ("failed", "WorkerLost", "known", 5)
    assert await site.queue() == []


async def test_devices_and_their_jobs_go_to_another_worker(site: Site) -> None:
    dying = await site.worker()
    jobs = [row["id"] for row in await site.submit(new_job("a"), new_job("a"), new_job("b"), new_job("c"))]
    await site.claim(dying)
    await site.finish(dying, jobs[3])
    heir = await site.worker()
    done = await site.reap(dying)

    assert done == {"lost": 0, "requeued": 2, "moved": 2}
    assert [await site.holder(name) for name in "abc"] == [heir, heir, None]  # nothing waits for c
    assert await site.claim(heir) == [jobs[0], jobs[2]]


async def test_a_reaped_workers_result_is_refused(site: Site) -> None:
    dying = await site.worker()
    job = await site.submit_one()
    await site.claim(dying)
    heir = await site.worker()
    await site.reap(dying)
    await site.claim(heir)

    assert await site.finish(dying, job) == []
    assert await site.record(dying, job, "of the dead") is False
    assert (await site.job(job))["worker_id"] == heir
    assert await site.outputs(job) == []
    assert await site.finish(heir, job) == [job]
    assert await site.finish(heir, job) == [job]  # the reply may have got lost; it ended once


@pytest.mark.parametrize("finish_first", [True, False])
async def test_finish_or_reap_wins_never_both(site: Site, other: Site, finish_first: bool) -> None:
    worker = await site.worker()
    job = await site.submit_one(operation="config")
    await site.claim(worker)
    await site.start(worker, job)
    transaction = site.connection.transaction()
    await transaction.start()
    first, second = (
        (site.finish(worker, job), other.reap(worker))
        if finish_first
        else (site.reap(worker), other.finish(worker, job))
    )
    await first
    late = asyncio.create_task(second)
    await blocked(site)
    await transaction.commit()
    await late

    assert await site.states(job) == ["finished" if finish_first else "failed"]
    assert await site.queue() == []


async def test_a_worker_that_has_beaten_since_is_spared(site: Site) -> None:
    worker = await site.worker()
    await site.connection.fetchval("SELECT netpulse.heartbeat($1, 0, 0, 0, 0)", worker)

    assert await site.reap(worker, 0) is None
    assert await site.reap(worker, 1) is not None
    assert await site.reap(worker) is None  # dead already
    assert await site.connection.fetchval("SELECT netpulse.heartbeat($1, 0, 0, 0, 0)", worker) is None


async def test_a_submission_in_flight_is_not_left_behind(site: Site, other: Site) -> None:
    dying = await site.worker()
    heir = await site.worker()
    transaction = site.connection.transaction()
    await transaction.start()
    job = await site.submit_one()
    holder = await site.holder()
    assert holder is not None
    reap = asyncio.create_task(other.reap(holder))
    await blocked(site)
    await transaction.commit()
    await reap

    assert await site.claim(heir if holder == dying else dying) == [job]


async def test_draining_hands_over_what_is_idle_and_takes_nothing_new(site: Site) -> None:
    leaving = await site.worker()
    busy, _idle = await site.submit_one("busy"), await site.submit_one("idle", priority=-1)
    assert await site.claim(leaving, 1) == [busy]
    staying = await site.worker()
    drained = await site.connection.fetchval("SELECT netpulse.drain_worker($1)", leaving)
    await site.submit_one("new")

    assert drained == 1
    assert [await site.holder(name) for name in ("busy", "idle", "new")] == [leaving, staying, staying]
    assert await site.finish(leaving, busy) == [busy]


async def test_the_last_worker_drains_and_adopts_nothing(site: Site) -> None:
    leaving = await site.worker()
    await site.submit_one()
    await site.connection.fetchval("SELECT netpulse.drain_worker($1)", leaving)

    assert await site.adopt(leaving) == 0
    assert await site.queue() == [("pinned:default", "todo")]
    heir = await site.worker()
    assert await site.adopt(heir) == 1
    assert await site.queue() == [(f"w:{heir}", "todo")]


async def test_adoption_is_by_zone_and_only_of_devices_with_jobs(site: Site) -> None:
    a, b = await site.submit_one("a"), await site.submit_one("b")
    await site.cancel(job=b)
    far, near = await site.worker(zone="far"), await site.worker()

    assert (await site.adopt(far), await site.adopt(near), await site.adopt(near)) == (0, 1, 0)
    assert await site.claim(near) == [a]
    assert await site.holder("b") is None


async def test_two_workers_adopt_each_device_once(site: Site, other: Site) -> None:
    await site.submit(*(new_job(f"r{number}") for number in range(6)))
    one, two = await site.worker(), await site.worker()
    async with site.connection.transaction():
        assert await site.adopt(one, 4) == 4
        assert await other.adopt(two) == 2  # passes over what the first is taking


async def test_what_a_lost_claim_took_comes_back(site: Site) -> None:
    worker = await site.worker()
    known, unheard = await site.submit_one("a"), await site.submit_one("b", operation="config")
    await site.claim(worker)
    sql = "SELECT netpulse.reconcile_jobs($1, $2)"

    assert await site.connection.fetchval(sql, worker, [known, unheard]) == 0
    assert await site.connection.fetchval(sql, worker, [known]) == 1
    assert await site.states(known, unheard) == ["started", "queued"]
    assert await site.claim(worker) == [unheard]
    await site.reap(worker)
    assert await site.connection.fetchval(sql, worker, []) is None


async def test_only_devices_without_jobs_are_released(site: Site) -> None:
    worker = await site.worker()
    done, waiting, running = [await site.submit_one(name) for name in ("done", "waiting", "running")]
    await site.claim(worker)
    await site.finish(worker, done, waiting)
    await site.submit_one("waiting")
    keys = ["done:22", "waiting:22", "running:22", "unknown:22"]
    epoch = await site.connection.fetchval("SELECT epoch FROM netpulse.device WHERE key = 'done:22'")

    assert await site.connection.fetchval("SELECT netpulse.release_devices($1, $2)", worker, keys) == 1
    assert [await site.holder(name) for name in ("done", "waiting", "running")] == [None, worker, worker]
    assert await site.connection.fetchval("SELECT epoch FROM netpulse.device WHERE key = 'done:22'") == epoch + 1
    assert await site.states(running) == ["started"]
