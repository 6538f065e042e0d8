"""procrastinate's Worker still uses our manager the way we rely on (docs/decisions/0002; facts F1 to F3).

The poll is set to minutes: whatever happens sooner was not found by polling.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager
from random import Random
from uuid import UUID

import pytest
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.worker import Worker
from typing_extensions import override

from drivers.base import Reply, Verdict
from jobs.database import Pool
from jobs.pinning import PinnedJobManager
from jobs.queue import Claimed, JobQueue
from jobs.results import Outcome
from jobs.words import Words
from tests.integration.jobs.conftest import Site, new_job
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

NEVER_S = 300.0
SOON_S = 15.0


class Busy:
    """A Worker that does nothing but note which jobs it was given."""

    def __init__(self, url: str, queue: JobQueue) -> None:
        self.ran: list[UUID] = []
        self.most_at_once = self._at_once = 0
        self.outcome = Outcome("finished")
        self.words: asyncio.Queue[str] = asyncio.Queue()
        self.dead = asyncio.Event()
        app = App(connector=PsycopgConnector())
        self.manager = manager = PinnedJobManager(
            app.connector, queue, poll_s=NEVER_S, concurrency=3, on_dead=self.dead.set
        )
        self._url = url
        self._words = Words(queue, wake=manager.wake, orders={"say": lambda said: self.words.put_nowait(said[0])})
        app.job_manager = manager

        @app.task(name="run", pass_context=True)
        async def run(context: JobContext) -> None:
            assert context.job.id is not None
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            self.ran.append(manager.claimed(context.job.id).id)
            await asyncio.sleep(0)
            self._at_once -= 1
            manager.conclude(context.job.id, self.outcome)

        self._worker = Worker(app, queues=["unused"], concurrency=3, install_signal_handlers=False, listen_notify=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        listening = asyncio.create_task(self._words.hear(self._url, "default"))
        task = asyncio.create_task(self._worker.run())  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            self.manager.stop()
            self._worker.stop()  # type: ignore[no-untyped-call]
            await asyncio.wait_for(task, SOON_S)
            listening.cancel()


async def ended(site: Site, *jobs: UUID) -> None:
    """Return when all are finished."""

    async def all_finished() -> bool:
        return set(await site.states(*jobs)) == {"finished"}

    await until_async(all_finished, "all jobs end", SOON_S)


async def listening(busy: Busy, site: Site, worker: int) -> None:
    """Return when the manager hears its channel."""

    async def heard() -> bool:
        await site.connection.execute("SELECT netpulse.wake('w:' || $1::bigint, 'say hear')", worker)
        return not busy.words.empty()

    await until_async(heard, "the manager listens", SOON_S)


async def test_the_next_job_of_a_device_starts_when_the_one_before_ends(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    jobs = [row["id"] for row in await site.submit(*[new_job()] * 20)]
    busy = Busy(database, JobQueue(pool, worker))
    async with busy.running():
        await ended(site, *jobs)

    assert busy.ran == jobs
    assert busy.most_at_once == 1
    assert await site.queue() == []


async def test_no_more_jobs_at_once_than_allowed(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    jobs = [row["id"] for row in await site.submit(*[new_job(strategy="fifo")] * 40)]
    busy = Busy(database, JobQueue(pool, worker))
    async with busy.running():
        await ended(site, *jobs)

    assert sorted(busy.ran) == jobs
    assert busy.most_at_once <= 3


async def test_a_notice_during_an_empty_claim_is_not_lost(site: Site, pool: Pool, database: str) -> None:
    submitted: list[UUID] = []
    came = asyncio.Event()

    class SlowReply(JobQueue):
        """Its first empty claim is answered only after a job has come and the manager has heard of it."""

        @override
        async def claim(
            self,
            queue_worker: int,
            limit: int,
            fifo_limit: int | None = None,
            devices: Collection[str] | None = None,
        ) -> list[Claimed]:
            found = await super().claim(queue_worker, limit, fifo_limit, devices)
            if not found and not submitted:
                await listening(busy, site, self.worker_id)
                submitted.append(await site.submit_one())
                await site.connection.execute("SELECT netpulse.wake('w:' || $1::bigint, 'say after')", self.worker_id)
                async with asyncio.timeout(SOON_S):
                    while await busy.words.get() != "after":
                        pass
                came.set()
            return found

    worker = await site.worker()
    busy = Busy(database, SlowReply(pool, worker))
    async with busy.running():
        await asyncio.wait_for(came.wait(), SOON_S)
        await ended(site, *submitted)


async def test_lost_connections_do_not_end_the_worker(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    busy = Busy(database, JobQueue(pool, worker))
    sql = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    async with busy.running():
        for _ in range(3):
            await listening(busy, site, worker)
            await site.connection.execute(sql)
            await ended(site, await site.submit_one())
            while not busy.words.empty():
                busy.words.get_nowait()


async def test_a_claim_whose_reply_is_lost_is_made_good(site: Site, pool: Pool, database: str) -> None:
    lost: list[Claimed] = []

    class LosesReply(JobQueue):
        """Its first claim succeeds, and nobody hears of it."""

        @override
        async def claim(
            self,
            queue_worker: int,
            limit: int,
            fifo_limit: int | None = None,
            devices: Collection[str] | None = None,
        ) -> list[Claimed]:
            found = await super().claim(queue_worker, limit, fifo_limit, devices)
            if found and not lost:
                lost.extend(found)
                raise ConnectionResetError
            return found

    worker = await site.worker()
    jobs = [row["id"] for row in await site.submit(new_job("a"), new_job("b", operation="config"))]
    busy = Busy(database, LosesReply(pool, worker))
    async with busy.running():
        await ended(site, *jobs)

    assert {job.id for job in lost} == set(jobs)
    assert sorted(busy.ran) == jobs


async def test_a_worker_that_was_declared_dead_stops_fetching(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    await site.reap(worker)
    await site.submit_one(strategy="fifo")
    busy = Busy(database, JobQueue(pool, worker))
    async with busy.running():
        await asyncio.wait_for(busy.dead.wait(), SOON_S)
        assert await busy.manager.fetch_job(None, 0) is None

    assert busy.ran == []
    assert await site.queue() == [("fifo:default", "todo")]


async def test_what_cannot_be_stored_ends_the_worker(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    busy = Busy(database, JobQueue(pool, worker))
    await site.connection.execute("DROP FUNCTION netpulse.finish_jobs")
    async with busy.running():
        await site.submit_one()
        await asyncio.wait_for(busy.dead.wait(), SOON_S)


async def test_large_results_are_stored_in_several_statements(site: Site, pool: Pool, database: str) -> None:
    sizes: list[int] = []

    class Weighing(JobQueue):
        @override
        async def finish(self, ended: Iterable[tuple[Claimed, Outcome]]) -> set[UUID]:
            batch = list(ended)
            sizes.append(len(batch))
            return await super().finish(batch)

    worker = await site.worker()
    busy = Busy(database, Weighing(pool, worker))
    busy.outcome = Outcome("finished", [Reply("show tech", "x" * 5_000_000, Verdict.DONE, None, 0.0)])
    jobs = [row["id"] for row in await site.submit(*[new_job(strategy="fifo")] * 4)]
    async with busy.running():
        await ended(site, *jobs)

    assert sizes == [1, 1, 1, 1]


async def test_fifo_jobs_leave_slots_for_held_devices(site: Site, pool: Pool) -> None:
    worker = await site.worker()
    queue = JobQueue(pool, worker)
    await site.submit(*[new_job(strategy="fifo", priority=9)] * 8, new_job())
    claimed = await queue.claim(await queue.queue_worker(), 4, 2)

    assert sorted(job.strategy for job in claimed) == ["fifo", "fifo", "pinned"]


async def test_what_was_claimed_and_not_begun_is_given_back(site: Site, pool: Pool) -> None:
    worker = await site.worker()
    jobs = [row["id"] for row in await site.submit(*[new_job(strategy="fifo")] * 3)]
    manager = PinnedJobManager(
        App(connector=PsycopgConnector()).connector,
        JobQueue(pool, worker),
        poll_s=NEVER_S,
        concurrency=8,
        on_dead=lambda: None,
    )
    assert await manager.fetch_job([], await manager.register_worker()) is not None
    manager.stop()
    await manager.give_back()

    assert sorted(await site.states(*jobs)) == ["queued", "queued", "started"]
    assert manager.busy == 1


class Looking(JobQueue):
    """Notes where it was asked to look."""

    def __init__(self, pool: Pool, worker_id: int) -> None:
        super().__init__(pool, worker_id)
        self.looks: list[set[str] | None] = []

    @override
    async def claim(
        self, queue_worker: int, limit: int, fifo_limit: int | None = None, devices: Collection[str] | None = None
    ) -> list[Claimed]:
        self.looks.append(None if devices is None else set(devices))
        return await super().claim(queue_worker, limit, fifo_limit, devices)


async def test_after_a_look_at_all_only_what_changed_is_looked_at(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    queue = Looking(pool, worker)
    busy = Busy(database, queue)
    busy.manager.RECONCILE_S = NEVER_S
    placed = [row["id"] for row in await site.submit(new_job("a"), new_job("b"))]
    async with busy.running():
        await listening(busy, site, worker)
        await ended(site, *placed)
        before = len(queue.looks)
        await ended(site, await site.submit_one("a"), await site.submit_one("b"))

    assert queue.looks[0] is None
    assert None not in queue.looks[before:]
    assert set().union(*(look for look in queue.looks[before:] if look)) == {"a:22", "b:22"}


@pytest.mark.parametrize("seed", range(3))
async def test_no_wake_up_is_lost(site: Site, pool: Pool, database: str, seed: int) -> None:
    """More jobs than slots, on few devices, in all orders; no poll, no reconciling, one look at everything."""
    random = Random(seed)
    worker = await site.worker()
    busy = Busy(database, Looking(pool, worker))
    busy.manager.RECONCILE_S = NEVER_S
    jobs = [row["id"] for row in await site.submit(*map(new_job, "abcde"))]  # a placement may wait for nobody's chores
    async with busy.running():
        await listening(busy, site, worker)
        for _ in range(60):
            some = [
                new_job(
                    random.choice("abcde"),
                    strategy=random.choice(["pinned"] * 4 + ["fifo"]),
                    priority=random.randrange(3),
                )
                for _ in range(random.choice([1, 1, 2, 4]))
            ]
            jobs += [row["id"] for row in await site.submit(*some)]
        await ended(site, *jobs)

    assert sorted(busy.ran) == sorted(jobs)


async def test_a_lost_notice_is_made_good_by_the_next_look_at_all(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    busy = Busy(database, JobQueue(pool, worker))
    busy.manager.RECONCILE_S = 0.0  # each claim looks at everything
    await site.submit(new_job("a"), new_job("b"))
    async with busy.running():
        await listening(busy, site, worker)
        await site.connection.execute("ALTER FUNCTION netpulse.wake RENAME TO awake")
        silent = "CREATE FUNCTION netpulse.wake(text, text DEFAULT '') RETURNS void LANGUAGE sql AS ''"
        await site.connection.execute(silent)
        unheard = await site.submit_one("a")
        await site.connection.execute("DROP FUNCTION netpulse.wake; ALTER FUNCTION netpulse.awake RENAME TO wake")
        await ended(site, unheard, await site.submit_one("b"))
