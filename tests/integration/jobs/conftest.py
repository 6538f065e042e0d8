"""The SQL functions as the API and the workers call them, each on a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from jobs.database import Connection, Pool, connect, create_pool

Connect = Callable[[], Awaitable[Connection]]


def new_job(device: str = "r1", **fields: Any) -> dict[str, Any]:
    """An element of submit_jobs' argument: a pinned query unless `fields` say otherwise."""
    return {
        "driver": "netmiko",
        "operation": "command",
        "device_key": f"{device}:22",
        "host": device,
        "port": 22,
        "zone": "default",
        "strategy": "pinned",
        "priority": 0,
        "request": {"command": ["show version"]},
        "sealed": "sealed",
        "ttl_s": 300,
        "execution_timeout_s": 300,
        "max_attempts": 1,
        "submitted_by": "tests",
        **fields,
    }


def queue_worker(worker: int) -> int:
    """The id of a worker's row in procrastinate_workers."""
    return worker + 1_000_000


class Site:
    """A connection, and what tests ask of the database by it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def worker(self, *, zone: str = "default", capacity: int = 10) -> int:
        """A live worker's id, with a row in procrastinate_workers that claims can refer to (see queue_worker)."""
        sql = "SELECT netpulse.register_worker('node', 1, $1, $2)"
        worker = int(await self.connection.fetchval(sql, zone, capacity))
        insert = "INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES ($1)"
        await self.connection.execute(insert, queue_worker(worker))
        return worker

    async def submit(self, *jobs: dict[str, Any]) -> list[asyncpg.Record]:
        """What submit_jobs says, in the order of `jobs`."""
        sql = "SELECT * FROM netpulse.submit_jobs($1) ORDER BY position"
        return list(await self.connection.fetch(sql, list(jobs)))

    async def submit_one(self, device: str = "r1", **fields: Any) -> UUID:
        """The id of a new job."""
        [row] = await self.submit(new_job(device, **fields))
        return UUID(str(row["id"]))

    async def claim(self, worker: int, limit: int = 32, devices: list[str] | None = None) -> list[UUID]:
        """The ids of what `worker` claimed."""
        return [row["id"] for row in await self.claim_rows(worker, limit, devices)]

    async def claim_rows(self, worker: int, limit: int = 32, devices: list[str] | None = None) -> list[asyncpg.Record]:
        sql = "SELECT * FROM netpulse.claim_jobs($1, $2, $3, NULL, $4)"
        return list(await self.connection.fetch(sql, worker, queue_worker(worker), limit, devices))

    async def finish(self, worker: int, *jobs: UUID, **fields: Any) -> list[UUID]:
        """End jobs well; the ids that counted."""
        results = [
            {"id": str(job), "state": "finished", "outcome": "known", "extra_attempts": 0} | fields for job in jobs
        ]
        return list(await self.connection.fetchval("SELECT netpulse.finish_jobs($1, $2, '[]')", worker, results))

    async def start(self, worker: int, job: UUID) -> bool:
        return bool(await self.connection.fetchval("SELECT netpulse.start_job($1, $2)", worker, job))

    async def reap(self, worker: int, beat: int | None = None) -> dict[str, int] | None:
        found: dict[str, int] | None = await self.connection.fetchval(
            "SELECT netpulse.reap_worker($1, $2)", worker, beat
        )
        return found

    async def record(self, worker: int, job: UUID, stdout: str) -> bool:
        """Keep the output of a job's first command."""
        output = {"job_id": str(job), "position": 0, "command": "c", "verdict": "done", "stdout": stdout, "stderr": ""}
        return bool(
            await self.connection.fetchval(
                "SELECT netpulse.record_output($1, $2, $3)", worker, job, [output | {"duration_s": 0}]
            )
        )

    async def outputs(self, job: UUID) -> list[str]:
        """What is kept of the job's output, in order."""
        sql = """SELECT coalesce(t.body, '')
                   FROM netpulse.job_output AS o LEFT JOIN netpulse.output_text AS t USING (digest)
                  WHERE o.job_id = $1 ORDER BY o.position"""
        return [row[0] for row in await self.connection.fetch(sql, job)]

    async def rebalance(self, worker: int, limit: int = 100) -> int:
        return int(await self.connection.fetchval("SELECT netpulse.rebalance_devices($1, $2)", worker, limit))

    async def stop_workers(self, *workers: int, force: bool = False) -> list[int]:
        """The ids of those that were told."""
        return list(await self.connection.fetchval("SELECT netpulse.stop_workers($1, $2)", workers, force))

    async def hold(self, worker: int, *devices: str) -> None:
        """Let `worker` hold these devices, idle."""
        await self.submit(*(new_job(device, preferred_worker=worker) for device in devices))
        while jobs := await self.claim(worker):
            await self.finish(worker, *jobs)
        assert {await self.holder(device) for device in devices} <= {worker}

    async def devices_of(self, worker: int) -> list[str]:
        """The device keys that `worker` holds."""
        sql = "SELECT key FROM netpulse.device WHERE worker_id = $1 ORDER BY key"
        return [row["key"] for row in await self.connection.fetch(sql, worker)]

    async def adopt(self, worker: int, limit: int = 100) -> int:
        return int(await self.connection.fetchval("SELECT netpulse.adopt_devices($1, $2)", worker, limit))

    async def cancel(
        self, *, job: UUID | None = None, host: str | None = None, force: bool = False
    ) -> list[tuple[UUID, bool]]:
        """Jobs that it touched, and whether they still run."""
        sql = "SELECT * FROM netpulse.cancel_jobs($1, $2, NULL, NULL)"
        touched = [(row[0], False) for row in await self.connection.fetch(sql, job, host)]
        if force:
            sql = "SELECT * FROM netpulse.abort_jobs($1, $2, NULL, NULL)"
            touched += [(row[0], True) for row in await self.connection.fetch(sql, job, host)]
        return touched

    async def job(self, job: UUID) -> asyncpg.Record:
        return await self.connection.fetchrow("SELECT * FROM netpulse.job WHERE id = $1", job)

    async def states(self, *jobs: UUID) -> list[str]:
        return [(await self.job(job))["state"] for job in jobs]

    async def holder(self, device: str = "r1") -> int | None:
        holder: int | None = await self.connection.fetchval(
            "SELECT worker_id FROM netpulse.device WHERE key = $1", f"{device}:22"
        )
        return holder

    async def queue(self) -> list[tuple[str, str]]:
        """Queue and status of every waiting or running job, oldest first."""
        rows = await self.connection.fetch("SELECT queue_name, status::text FROM procrastinate_jobs ORDER BY id")
        return [tuple(row) for row in rows]


class Heard:
    """The notices on one channel."""

    def __init__(self) -> None:
        self.payloads: asyncio.Queue[str] = asyncio.Queue()

    async def on(self, site: Site, channel: str) -> None:
        await site.connection.add_listener(
            channel, lambda _c, _pid, _channel, text: self.payloads.put_nowait(str(text))
        )

    async def next(self) -> str:
        return await asyncio.wait_for(self.payloads.get(), 10)


async def hear_worker(site: Site, worker: int) -> Heard:
    """What `worker` is told from now on, heard on `site`'s connection."""
    heard = Heard()
    await heard.on(site, f"netpulse:w:{worker}")
    return heard


@pytest.fixture
async def connections(database: str) -> AsyncIterator[Connect]:
    """Opens connections to the test's database."""
    async with AsyncExitStack() as opened:

        async def open_one() -> Connection:
            connection = await connect(database)
            opened.push_async_callback(connection.close)
            return connection

        yield open_one


@pytest.fixture
async def site(connections: Connect) -> Site:
    """A first connection."""
    return Site(await connections())


@pytest.fixture
async def other(connections: Connect) -> Site:
    """A second one."""
    return Site(await connections())


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """A worker's pool."""
    pool = await create_pool(database, size=4)
    try:
        yield pool
    finally:
        await pool.close()


async def blocked(site: Site) -> None:
    """Return once another connection waits for a lock."""
    sql = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not await site.connection.fetch(sql):
            pass  # each look is a round trip
