"""Files between the store and hosts in memory: whole, resumed, refused, taken away."""

import asyncio
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from drivers.errors import LeaseLost, ReplyTimeout
from drivers.pool import PoolLimits, SessionPool
from jobs.database import Pool
from jobs.queue import Claimed, JobQueue
from jobs.results import ErrorType, Outcome
from jobs.run import run_job
from jobs.seal import Seal, new_key
from jobs.settings import StorageSettings
from jobs.storage import PIECE_BYTES
from jobs.world import World
from tests.integration.jobs.conftest import Site, new_job, queue_worker
from tests.integration.jobs.hosts import HostDriver
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

SEAL = Seal([new_key()])
LOGIN = SEAL.seal('{"connection_args": {"host": "h1"}}')
CONTENT = Random(7).randbytes(2 * PIECE_BYTES + 12_345)
DIGEST = sha256(CONTENT).hexdigest()


class Bench:
    """Workers' worlds over one host."""

    def __init__(self, site: Site, pool: Pool) -> None:
        self.site = site
        self.pool = pool
        self.driver = HostDriver()
        self.host = self.driver.host

    async def world(self, **storage: Any) -> World:
        """That of a new worker."""
        drivers = {"host": self.driver}
        sessions = SessionPool(drivers, PoolLimits(), on_let_go=lambda _key: None)
        queue = JobQueue(self.pool, await self.site.worker())
        return World(drivers, sessions, SEAL, queue, lambda: None, StorageSettings(**storage))

    async def claimed(self, world: World, operation: str, public: dict[str, Any], **fields: Any) -> Claimed:
        """A job that the worker has claimed."""
        wish = {"operation": operation, "remote_path": "/srv/image.bin"}
        request = {"driver_args": {"file_transfer": wish}, **public}
        sent = {"driver": "host", "strategy": "fifo", "sealed": LOGIN, "request": request, "operation": operation}
        job = new_job("h1", **{**sent, **fields})
        if "file" in public:
            file_id = UUID(public["file"]["id"])
            await self.site.connection.fetch("SELECT * FROM netpulse.submit_upload($1, $2)", [job], file_id)
        else:
            await self.site.submit(job)
        return await self.claim(world)

    async def claim(self, world: World) -> Claimed:
        [job] = await world.queue.claim(queue_worker(world.queue.worker_id), 1)
        return job

    async def stored(self, content: bytes = CONTENT) -> dict[str, Any]:
        """What an upload's request says of a file that a client has sent."""
        insert = """
            INSERT INTO netpulse.stored_file (id, direction, name, size_bytes, sha256, state)
            VALUES (netpulse.uuid7(now()), 'upload', 'image.bin', $1, $2, 'whole') RETURNING id"""
        digest = sha256(content).hexdigest()
        file_id = await self.site.connection.fetchval(insert, len(content), digest)
        for first in range(0, len(content), PIECE_BYTES):
            sealed = SEAL.seal_bytes(content[first : first + PIECE_BYTES])
            await self.site.connection.execute(
                "INSERT INTO netpulse.file_piece VALUES ($1, $2, $3)", file_id, first, sealed
            )
        return {"file": {"id": str(file_id), "name": "image.bin", "size_bytes": len(content), "sha256": digest}}

    async def end(self, world: World, job: Claimed) -> Outcome:
        """Run the job to its end, in the database too."""
        outcome = await run_job(world, job)
        assert await world.queue.finish([(job, outcome)]) == {job.id}
        return outcome

    async def file(self, job: Claimed) -> asyncpg.Record:
        return await self.site.connection.fetchrow("SELECT * FROM netpulse.stored_file WHERE job_id = $1", job.id)

    async def content(self, job: Claimed) -> bytes:
        """What is stored of the job's file, in the clear."""
        sql = """SELECT data FROM netpulse.file_piece JOIN netpulse.stored_file AS f ON f.id = file_id
                  WHERE f.job_id = $1 ORDER BY first_byte"""
        rows = await self.site.connection.fetch(sql, job.id)
        return b"".join(SEAL.open_bytes(row["data"]) for row in rows)


@pytest.fixture
async def bench(site: Site, pool: Pool) -> Bench:
    return Bench(site, pool)


async def test_a_download_is_kept_whole(bench: Bench) -> None:
    bench.host.files["/srv/image.bin"] = CONTENT
    world = await bench.world(retention_s=3600)
    job = await bench.claimed(world, "download", {})
    outcome = await bench.end(world, job)
    file = await bench.file(job)

    assert (outcome.state, outcome.outputs[0].parsed) == ("finished", {"size_bytes": len(CONTENT)})
    assert (file["state"], file["sha256"], file["size_bytes"], file["name"]) == (
        "whole",
        DIGEST,
        len(CONTENT),
        "image.bin",
    )
    assert (file["expires_at"] - file["created_at"]).total_seconds() == pytest.approx(3600, abs=60)
    assert await bench.content(job) == CONTENT
    rows = await bench.site.connection.fetch("SELECT data FROM netpulse.file_piece")
    assert not any(CONTENT[:64] in row["data"] for row in rows)


async def test_an_empty_file_comes_too(bench: Bench) -> None:
    bench.host.files["/srv/image.bin"] = b""
    world = await bench.world()
    job = await bench.claimed(world, "download", {})

    assert (await bench.end(world, job)).state == "finished"
    assert (await bench.file(job))["sha256"] == sha256(b"").hexdigest()


async def test_an_upload_arrives_and_its_pieces_are_needed_no_more(bench: Bench) -> None:
    world = await bench.world()
    job = await bench.claimed(world, "upload", await bench.stored())
    kept = (await bench.file(job))["expires_at"]
    outcome = await bench.end(world, job)
    swept = await bench.site.connection.fetchval("SELECT netpulse.sweep_files(2)")
    half = await bench.file(job)
    swept += await bench.site.connection.fetchval("SELECT netpulse.sweep_files(2)")

    assert (kept, outcome.state, swept) == (None, "finished", 3)
    assert bench.host.files == {"/srv/image.bin": CONTENT}
    assert half["removed_at"] is None
    assert (await bench.file(job))["removed_at"] is not None
    assert await bench.content(job) == b""


@pytest.mark.parametrize("operation", ["download", "upload"])
async def test_an_interrupted_transfer_goes_on_over_another_session(bench: Bench, operation: str) -> None:
    bench.host.breaks = [400_000, 300_000]
    bench.host.refused_logins = 1
    world = await bench.world()
    if operation == "download":
        bench.host.files["/srv/image.bin"] = CONTENT
    job = await bench.claimed(world, operation, {} if operation == "download" else await bench.stored())
    outcome = await bench.end(world, job)

    assert (outcome.state, outcome.extra_attempts, len(outcome.outputs)) == ("finished", 3, 1)
    assert (bench.host.files["/srv/image.bin"], (await bench.file(job))["state"]) == (CONTENT, "whole")
    if operation == "download":
        starts = [event for session in bench.driver.sessions for event in session.events if "from" in event]
        assert starts == ["from 0", "from 400000", "from 700000"]
        assert await bench.content(job) == CONTENT


@pytest.mark.parametrize(("breaks", "sessions"), [([0] * 9, 1), ([200_000, 0, 0], 2), ([100_000] * 9, 6)])
async def test_it_gives_up_without_progress_and_after_five_times(
    bench: Bench, breaks: list[int], sessions: int
) -> None:
    bench.host.files["/srv/image.bin"] = CONTENT
    bench.host.breaks = breaks
    bench.host.error = ReplyTimeout
    world = await bench.world()
    job = await bench.claimed(world, "download", {})
    outcome = await bench.end(world, job)

    assert (outcome.error_type, len(bench.driver.sessions)) == (ErrorType.REPLY_TIMEOUT, sessions)
    assert (await bench.file(job))["state"] == "broken"
    assert all(session.dead for session in bench.driver.sessions)
    await bench.site.connection.fetchval("SELECT netpulse.sweep_files(100)")
    assert await bench.content(job) == b""


async def test_a_dead_workers_download_goes_on_where_it_stopped(bench: Bench) -> None:
    bench.host.files["/srv/image.bin"] = CONTENT
    first = await bench.world()
    job = await bench.claimed(first, "download", {})
    queue = first.queue
    arguments = (queue.worker_id, job.id)
    await queue.ask("SELECT netpulse.open_download($1, $2, $3)", *arguments, "image.bin")
    sealed = SEAL.seal_bytes(CONTENT[:PIECE_BYTES])
    append = "SELECT netpulse.append_piece($1, $2, $3, $4, $5)"
    assert await queue.ask(append, *arguments, 0, PIECE_BYTES, sealed)
    second = await bench.world()
    await bench.site.reap(queue.worker_id)

    assert not await queue.ask(append, *arguments, 0, 3, SEAL.seal_bytes(b"old"))
    assert not await queue.ask("SELECT netpulse.clear_download($1, $2)", *arguments)
    assert not await queue.ask("SELECT netpulse.complete_download($1, $2, $3, 1)", *arguments, "x")
    assert await queue.ask("SELECT netpulse.open_download($1, $2, $3)", *arguments, "x") is None
    again = await bench.claim(second)
    assert (await bench.end(second, again)).state == "finished"
    assert [s.events[1] for s in bench.driver.sessions] == [f"from {PIECE_BYTES}"]
    assert await bench.content(job) == CONTENT


async def test_a_file_beyond_the_limit_is_not_kept(bench: Bench) -> None:
    bench.host.files["/srv/image.bin"] = CONTENT
    world = await bench.world(max_bytes=PIECE_BYTES)
    job = await bench.claimed(world, "download", {})
    outcome = await bench.end(world, job)

    assert outcome.state == "failed"
    assert f"{PIECE_BYTES:,} bytes" in str(outcome.error_message)
    assert (await bench.file(job))["state"] == "broken"


async def test_what_the_host_refuses_is_not_tried_again(bench: Bench) -> None:
    world = await bench.world()
    job = await bench.claimed(world, "download", {})

    assert (await bench.end(world, job)).error_type is ErrorType.COMMAND_REJECTED
    assert len(bench.driver.sessions) == 1


async def test_a_transfer_taken_away_stops(bench: Bench) -> None:
    bench.host.files["/srv/image.bin"] = CONTENT
    world = await bench.world()
    job = await bench.claimed(world, "download", {})
    await bench.site.reap(world.queue.worker_id)
    with pytest.raises(LeaseLost):
        await run_job(world, job)


async def test_calling_off_wakes_a_thread_that_waits_for_postgresql(bench: Bench, other: Site) -> None:
    """The file's row is locked by somebody, so that the answer to a piece does not come."""
    bench.host.files["/srv/image.bin"] = CONTENT
    world = await bench.world()
    job = await bench.claimed(world, "download", {})
    async with other.connection.transaction():
        await other.connection.execute("LOCK TABLE netpulse.file_piece")
        running = asyncio.create_task(run_job(world, job))
        await until_async(lambda: _is_blocked(bench.site), "the piece waits for the lock")
        world.stop(job.id)
        outcome = await asyncio.wait_for(running, 5)

    assert outcome.state == "cancelled"


async def _is_blocked(site: Site) -> bool:
    sql = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await site.connection.fetch(sql))
