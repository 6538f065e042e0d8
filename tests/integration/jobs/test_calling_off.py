"""cancel_jobs and expire_jobs, and who hears of an end."""

import asyncio
from uuid import UUID

import pytest

from tests.integration.jobs.conftest import Connect, Heard, Site, blocked, hear_worker, new_job

pytestmark = pytest.mark.anyio


async def test_only_waiting_jobs_are_cancelled(site: Site) -> None:
    worker = await site.worker()
    running, waiting = [row["id"] for row in await site.submit(new_job(), new_job())]
    await site.claim(worker)

    assert await site.cancel(host="r1") == [(waiting, False)]
    assert await site.cancel(host="r1") == []
    row = await site.job(waiting)
    assert (row["state"], row["error_type"], row["outcome"], row["sealed"]) == ("cancelled", "Cancelled", "known", None)
    assert await site.states(running) == ["started"]
    assert await site.queue() == [(f"w:{worker}", "doing")]


async def test_filters_combine(site: Site) -> None:
    a, b = await site.submit_one("a"), await site.submit_one("b")

    assert await site.cancel(job=a, host="b") == []
    assert await site.cancel(job=a, host="a") == [(a, False)]
    assert await site.states(b) == ["queued"]


async def test_force_sends_the_worker_a_word_for_each_running_job(site: Site, other: Site) -> None:
    worker = await site.worker()
    running, waiting = [row["id"] for row in await site.submit(new_job(), new_job())]
    await site.claim(worker)
    heard = await hear_worker(other, worker)

    assert await site.cancel(host="r1", force=True) == [(waiting, False), (running, True)]
    assert await heard.next() == f"cancel {running}"
    assert await site.states(running) == ["started"]  # until its worker says that the device I/O has stopped


async def test_a_claim_and_a_cancel_at_once(site: Site, other: Site) -> None:
    worker = await site.worker()
    job = await site.submit_one()
    transaction = site.connection.transaction()
    await transaction.start()
    assert await site.cancel(job=job) == [(job, False)]
    claim = asyncio.create_task(other.claim(worker))
    await blocked(site)
    await transaction.commit()

    assert await claim == []
    assert await site.states(job) == ["cancelled"]
    assert await site.queue() == []


async def test_a_cancel_that_comes_after_the_claim_touches_nothing(site: Site, other: Site) -> None:
    worker = await site.worker()
    job = await site.submit_one()
    transaction = site.connection.transaction()
    await transaction.start()
    assert await site.claim(worker) == [job]
    cancel = asyncio.create_task(other.cancel(job=job))
    await blocked(site)
    await transaction.commit()

    assert await cancel == []
    assert await site.states(job) == ["started"]


async def test_overdue_jobs_expire_oldest_first(site: Site) -> None:
    rows = await site.submit(new_job("a", ttl_s=-2), new_job("b", ttl_s=-1), new_job("c"))
    oldest, old, young = [row["id"] for row in rows]
    sql = "SELECT netpulse.expire_jobs($1)"

    assert await site.connection.fetchval(sql, 1) == 1
    assert await site.states(oldest, old, young) == ["failed", "queued", "queued"]
    assert await site.connection.fetchval(sql, 10) == 1
    row = await site.job(old)
    assert (row["state"], row["error_type"], row["outcome"], row["sealed"]) == ("failed", "Expired", "known", None)
    assert len(await site.queue()) == 1


async def test_a_running_job_does_not_expire(site: Site) -> None:
    worker = await site.worker()
    job = await site.submit_one(ttl_s=-1)
    await site.claim(worker)

    assert await site.connection.fetchval("SELECT netpulse.expire_jobs(10)") == 0
    assert await site.states(job) == ["started"]


async def test_everyone_hears_of_many_ends_at_once(site: Site, connections: Connect) -> None:
    worker = await site.worker(capacity=1000)
    jobs = [row["id"] for row in await site.submit(*[new_job(strategy="fifo")] * 450)]
    await site.claim(worker, 450)
    heard = Heard()
    await heard.on(Site(await connections()), "netpulse_job_ended")
    await site.finish(worker, *jobs)
    payloads = [await heard.next() for _ in range(3)]

    assert {UUID(text) for payload in payloads for text in payload.split(",")} == set(jobs)
    assert all(len(payload) < 8000 for payload in payloads)


async def test_nobody_is_woken_for_nothing(site: Site, other: Site) -> None:
    heard = Heard()
    await heard.on(other, "netpulse_job_ended")
    await site.finish(await site.worker())
    await site.cancel(host="nobody")
    last = await site.submit_one()
    await site.cancel(job=last)

    assert await heard.next() == str(last)


async def test_a_wish_to_abort_outlives_its_notice(site: Site) -> None:
    worker = await site.worker()
    running, _other = await site.submit_one("a"), await site.submit_one("b")
    await site.claim(worker)
    await site.cancel(job=running, force=True)  # and nobody listens
    sql = "SELECT netpulse.requested_cancels($1)"

    assert [row[0] for row in await site.connection.fetch(sql, worker)] == [running]
    await site.finish(worker, running, state="cancelled")
    assert await site.connection.fetch(sql, worker) == []


async def test_a_cancelled_job_whose_worker_dies_does_not_run_again(site: Site) -> None:
    worker = await site.worker()
    query, change, _kept = [
        await site.submit_one(n, operation=o) for n, o in (("a", "command"), ("b", "config"), ("c", "command"))
    ]
    await site.claim(worker)
    await site.cancel(job=query, force=True)
    await site.cancel(job=change, force=True)

    assert (await site.reap(worker) or {})["requeued"] == 1
    for row in [await site.job(job) for job in (query, change)]:
        assert (row["state"], row["error_type"], row["outcome"], row["sealed"]) == (
            "cancelled",
            "Cancelled",
            "known",
            None,
        )
    assert await site.queue() == [("pinned:default", "todo")]


async def test_a_cancel_and_a_finish_of_many_do_not_block_each_other_for_ever(site: Site, other: Site) -> None:
    worker = await site.worker(capacity=100)
    jobs = [row["id"] for row in await site.submit(*(new_job(f"r{number}") for number in range(60)))]
    await site.claim(worker, 60)

    await asyncio.gather(site.finish(worker, *reversed(jobs)), *[other.cancel(force=True)])
    assert set(await site.states(*jobs)) == {"finished"}
