"""stop_workers, ask_release, prune_workers: what an operator asks of workers, and what the dead leave."""

import asyncio
from datetime import timedelta

import pytest

from tests.integration.jobs.conftest import Site, hear_worker, new_job

pytestmark = pytest.mark.anyio


async def beat(site: Site, worker: int) -> str | None:
    state: str | None = await site.connection.fetchval("SELECT netpulse.heartbeat($1, 0, 0, 0, 0)", worker)
    return state


async def test_draining_is_told_and_kept_in_the_row(site: Site, other: Site) -> None:
    worker = await site.worker()
    running, _waiting = await site.submit_one("a"), await site.submit_one("b", priority=-1)
    assert await site.claim(worker, 1) == [running]
    told = await hear_worker(other, worker)

    assert await site.stop_workers(worker, 999) == [worker]
    assert await told.next() == "drain"
    assert await beat(site, worker) == "draining"  # should the notice get lost
    assert [await site.holder(name) for name in "ab"] == [worker, None]
    assert await site.queue() == [(f"w:{worker}", "doing"), ("pinned:default", "todo")]
    assert await site.finish(worker, running) == [running]
    assert await site.reap(worker) is not None


async def test_by_force_everything_that_runs_ends(site: Site, other: Site) -> None:
    worker = await site.worker()
    names = ("query", "claimed", "began", "waits")
    jobs = [await site.submit_one(n, operation="command" if n == "query" else "config") for n in names[:3]]
    assert await site.claim(worker) == jobs
    await site.start(worker, jobs[2])
    waits = await site.submit_one("waits")
    heir = await site.worker()
    told = await hear_worker(other, worker)

    assert await site.stop_workers(worker, force=True) == [worker]
    rows = [await site.job(job) for job in jobs]
    assert [(row["state"], row["error_type"], row["outcome"]) for row in rows] == [
        ("failed", "WorkerLost", "known"),
        ("failed", "WorkerLost", "known"),
        ("failed", "WorkerLost", "unknown"),
    ]
    assert all(row["sealed"] is None for row in rows)
    assert await site.claim(heir) == [waits]
    assert await site.devices_of(worker) == []
    assert await beat(site, worker) is None
    while (word := await told.next()) != "dead":
        assert word == ""
    assert await site.stop_workers(worker, force=True) == []


@pytest.mark.parametrize("force", [True, False])
async def test_what_stopped_workers_had_goes_to_those_that_stay(site: Site, force: bool) -> None:
    leaving = [await site.worker() for _ in range(3)]
    jobs = [(await site.submit(new_job(f"r{n}", preferred_worker=worker)))[0]["id"] for n, worker in enumerate(leaving)]
    stays = await site.worker()
    await site.stop_workers(*leaving, force=force)

    assert await site.claim(stays) == jobs
    epochs = await site.connection.fetch("SELECT epoch FROM netpulse.device")
    assert {row["epoch"] for row in epochs} == {3}  # held, let go, held: never given to one that leaves too


async def test_stopping_many_and_submitting_to_their_devices_do_not_block_each_other(site: Site, other: Site) -> None:
    for _ in range(10):
        one, two = await site.worker(), await site.worker()
        mixed = [new_job(f"{one}-{n:02d}", preferred_worker=(one, two)[n % 2]) for n in range(30)]
        await site.submit(*mixed)
        stop, submitted = await asyncio.gather(site.stop_workers(two, one, force=True), other.submit(*mixed))
        assert stop == [one, two]
        assert len(submitted) == 30
    assert {queue for queue, _ in await site.queue()} == {"pinned:default"}


async def test_a_claimed_change_given_up_after_five_workers_never_began(site: Site) -> None:
    job = await site.submit_one(strategy="fifo", operation="config")
    for _ in range(5):
        worker = await site.worker()
        await site.claim(worker)
        await site.reap(worker)
    row = await site.job(job)

    assert (row["error_type"], row["outcome"]) == ("WorkerLost", "known")


async def test_asking_to_release_tells_the_holders_only(site: Site, other: Site) -> None:
    one, two = await site.worker(), await site.worker()
    await site.submit(
        new_job("r1", preferred_worker=one), {**new_job("r1", preferred_worker=two), "device_key": "r1:23", "port": 23}
    )
    first, second = await hear_worker(other, one), await hear_worker(other, two)
    sql = "SELECT netpulse.ask_release($1)"

    assert await site.connection.fetchval(sql, "r1") == ["r1:22", "r1:23"]
    assert (await first.next(), await second.next()) == ("release r1:22", "release r1:23")
    assert await site.connection.fetchval(sql, "r2") == []


async def test_the_long_dead_are_swept_up_unless_the_history_names_them(site: Site) -> None:
    idle, old, new, live = [await site.worker() for _ in range(4)]
    job = await site.submit_one(preferred_worker=old)
    await site.claim(old)
    await site.finish(old, job)
    for worker in (idle, old, new):
        await site.reap(worker)
    age = "UPDATE netpulse.worker SET died_at = died_at - $2::interval WHERE id = $1"
    await site.connection.execute(age, idle, timedelta(days=7, minutes=1))
    await site.connection.execute(age, old, timedelta(days=8))
    await site.connection.execute(age, new, timedelta(days=6))
    sql = "SELECT netpulse.prune_workers($1)"

    assert [await site.connection.fetchval(sql, 1) for _ in range(2)] == [1, 0]
    left = await site.connection.fetch("SELECT id FROM netpulse.worker ORDER BY id")
    assert [row["id"] for row in left] == [old, new, live]


async def test_a_dead_worker_leaves_no_row_of_procrastinates(site: Site) -> None:
    sql = """SELECT count(*) FROM procrastinate_workers AS p
               JOIN netpulse.worker AS w ON w.queue_worker_id = p.id WHERE w.id = $1"""
    worker = await site.worker()

    assert await site.connection.fetchval(sql, worker) == 1
    await site.reap(worker)
    assert await site.connection.fetchval(sql, worker) == 0
