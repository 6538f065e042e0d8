"""What a worker hears, and how it finds out what it did not hear."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

import pytest

from jobs.database import Pool
from jobs.queue import JobQueue
from jobs.words import Words, job_ids
from tests.integration.jobs.conftest import Site, new_job
from tests.waiting import until_async

pytestmark = pytest.mark.anyio


class Ears:
    """Words of one worker, noted."""

    def __init__(self, pool: Pool, worker: int) -> None:
        self.cancelled: list[UUID] = []
        self.released: list[str] = []
        self.woken = asyncio.Event()
        self.looks: list[list[str] | None] = []
        orders = {"cancel": lambda said: self.cancelled.extend(job_ids(said)), "release": self.released.extend}
        self.words = Words(JobQueue(pool, worker), wake=self._wake, orders=orders)

    def _wake(self, devices: Iterable[str] | None) -> None:
        self.looks.append(None if devices is None else list(devices))
        self.woken.set()


async def test_words_are_obeyed_and_unknown_ones_ignored(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    ears = Ears(pool, worker)
    hearing = asyncio.create_task(ears.words.hear(database, "default"))
    await asyncio.wait_for(ears.woken.wait(), 10)
    for word in ("", "dance r1:22", "release r1:22 [2001:db8::1]:22"):
        await site.connection.execute("SELECT netpulse.wake('w:' || $1::bigint, $2)", worker, word)

    async def heard() -> bool:
        return ears.released == ["r1:22", "[2001:db8::1]:22"]

    await until_async(heard, "the word arrives")
    hearing.cancel()


async def test_a_cancel_that_came_while_nobody_listened_is_found(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    job = await site.submit_one()
    await site.claim(worker)
    await site.cancel(job=job, force=True)
    ears = Ears(pool, worker)
    ears.words.LOOK_S = 300  # only the connect asks
    tasks = [asyncio.create_task(ears.words.look_after_cancels()), asyncio.create_task(ears.words.hear(database, "x"))]

    async def found() -> bool:
        return ears.cancelled == [job]

    await until_async(found, "the wish is found")
    for task in tasks:
        task.cancel()


async def test_it_is_found_without_any_connect_too(site: Site, pool: Pool) -> None:
    worker = await site.worker()
    job = await site.submit_one()
    await site.claim(worker)
    ears = Ears(pool, worker)
    ears.words.LOOK_S = 0.01
    looking = asyncio.create_task(ears.words.look_after_cancels())
    await site.cancel(job=job, force=True)

    async def found() -> bool:
        return job in ears.cancelled

    await until_async(found, "the wish is found")
    looking.cancel()


async def test_a_submission_says_where_there_is_work(site: Site, pool: Pool, database: str) -> None:
    worker = await site.worker()
    ears = Ears(pool, worker)
    hearing = asyncio.create_task(ears.words.hear(database, "default"))
    await asyncio.wait_for(ears.woken.wait(), 10)
    await site.submit_one("a")
    await site.submit(new_job("a"), new_job("a"), new_job("f", strategy="fifo"))
    await site.submit(new_job("a"), new_job("b"))

    async def heard() -> bool:
        return sorted(ears.looks[1:], key=repr) == [None, ["a:22"], ["a:22"], []]

    await until_async(heard, "one look for each queue of each submission")
    hearing.cancel()
