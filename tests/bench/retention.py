"""Removing 500,000 old jobs with their outputs while 100 jobs/s are submitted and end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import psycopg

from app import migrations
from jobs.database import Pool, connect, create_pool
from jobs.retention import REST, begin, remove
from jobs.settings import RetentionSettings
from tests.bench.measure import Measure, Site

DATABASE = "retention"
PER_S = 100
DEVICES = 500

# A year old; each has two outputs, of 2,000 texts in all, and every hundredth a text of its own.
_JOBS = """
    INSERT INTO netpulse.job (
        id, driver, operation, device_key, host, zone, strategy, state, request, error_type, outcome, submitted_by,
        worker_id, worker, attempts, execution_timeout_s, session_reused, created_at, started_at, ended_at)
    SELECT netpulse.uuid7(at), 'netmiko', 'command', h.name || ':22', h.name, 'default', 'pinned', s.state,
           '{"driver": "netmiko", "command": ["show version"], "connection_args": {"password": "***"}}',
           CASE s.state WHEN 'failed' THEN 'Unreachable' END, 'known', 'admin', 1, 'bench:1', 1, 300, true,
           at, at + interval '5 ms', at + interval '9 ms'
      FROM generate_series(1, %(jobs)s) AS n,
           LATERAL (SELECT now() - interval '370 days' + n * interval '1 second' AS at) AS j,
           LATERAL (SELECT 'r' || n %% 500 || '.bench' AS name) AS h,
           LATERAL (SELECT CASE WHEN n %% 50 = 0 THEN 'failed' ELSE 'finished' END AS state) AS s
"""
_TEXTS = """
    INSERT INTO netpulse.output_text (digest, body, first_seen_at)
    SELECT sha256(convert_to(body, 'UTF8')), body, now() - interval '370 days'
      FROM generate_series(0, %(texts)s) AS n,
           LATERAL (SELECT 'version ' || n || repeat(' Cisco IOS Software', 40) AS body) AS t
"""
_OUTPUTS = """
    WITH numbered AS (SELECT id, started_at, row_number() OVER (ORDER BY id) AS n FROM netpulse.job)
    INSERT INTO netpulse.job_output (job_id, position, command, verdict, digest, size_bytes, exit_status, started_at)
    SELECT n.id, p, 'show version', 'done',
           sha256(convert_to('version ' || t.number || repeat(' Cisco IOS Software', 40), 'UTF8')), 800, 0, n.started_at
      FROM numbered AS n, generate_series(0, 1) AS p,
           LATERAL (SELECT CASE WHEN n.n % 100 = 0 AND p = 0 THEN 2000 + n.n / 100 ELSE n.n % 2000 END) AS t (number)
"""


def retention(site: Site) -> Iterator[Measure]:
    """Both in turn, a few seconds each, until nothing is left: this machine is never quiet for long."""
    jobs, slice_s = (20_000, 2.0) if site.quick else (500_000, 10.0)
    site.server.ensure_database(DATABASE)
    url = site.server.url(DATABASE)
    migrations.upgrade(url)
    _fill(url, jobs)
    yield from asyncio.run(_measured(url, jobs, slice_s))


def _fill(url: str, jobs: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET session_replication_role = replica")  # no look at the job for each output
        connection.execute(_JOBS, {"jobs": jobs})
        connection.execute(_TEXTS, {"texts": 2000 + jobs // 100})
        connection.execute(_OUTPUTS)
        connection.execute("VACUUM ANALYZE netpulse.job, netpulse.job_output, netpulse.output_text")


async def _measured(url: str, jobs: int, slice_s: float) -> list[Measure]:
    connection = await connect(url)
    settings = RetentionSettings(finished_days=30, failed_days=30)
    round_id = await begin(connection, "bench")
    assert round_id is not None
    batches = remove(connection, settings, round_id)
    seen: dict[bool, list[float]] = {False: [], True: []}
    removed, took_s = 0, 0.0
    async with _site(url) as site:
        await site.load(slice_s)  # warm
        while removed < jobs:
            seen[False].append(_p95(await site.load(slice_s)))
            removing = asyncio.create_task(_remove_for(batches, slice_s))
            seen[True].append(_p95(await site.load(slice_s)))
            counted, lasted = await removing
            removed, took_s = removed + counted, took_s + lasted
            if not counted:
                break
    await connection.close()
    p95 = {mode: median(rounds) for mode, rounds in seen.items()}
    name = f"submission p95 at {PER_S}/s while {removed:,} jobs are removed"
    return [
        Measure(name, p95[True], "ms", "≤ 2 ×", p95[False], "nothing is removed"),
        Measure("jobs removed, with all that is theirs", removed / took_s, "jobs/s"),
    ]


def _p95(took: list[float]) -> float:
    return sorted(took)[int(len(took) * 0.95)]


async def _remove_for(batches: AsyncIterator[Any], slice_s: float) -> tuple[int, float]:
    """As a worker does it; how many jobs, and in which time."""
    loop = asyncio.get_running_loop()
    began, count = loop.time(), 0
    while loop.time() < began + slice_s and (batch := await anext(batches, None)) is not None:
        count += batch.removed if batch.kind.endswith("jobs") else 0
        await asyncio.sleep(batch.took_s * REST)
    return count, loop.time() - began


class _Load:
    """Clients that submit, and a worker that claims and ends, by the functions that API and worker call."""

    def __init__(self, pool: Pool, worker: int) -> None:
        self._pool = pool
        self._worker = worker

    async def load(self, for_s: float) -> list[float]:
        """Milliseconds of each submission, from the moment when it was due: what waits for others counts."""
        loop = asyncio.get_running_loop()
        began = loop.time() + 0.05
        ending = asyncio.create_task(self._end_jobs())
        due = [began + n / PER_S for n in range(int(for_s * PER_S))]
        try:
            return list(await asyncio.gather(*(self._submit_at(moment) for moment in due)))
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)

    async def _submit_at(self, moment: float) -> float:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(moment - loop.time())
        await self._pool.fetch("SELECT * FROM netpulse.submit_jobs($1)", [_new_job(int(moment * PER_S) % DEVICES)])
        return (loop.time() - moment) * 1000

    async def _end_jobs(self) -> None:
        while True:
            claim = "SELECT id FROM netpulse.claim_jobs($1, 1, 32, NULL, NULL)"
            ids = [str(row["id"]) for row in await self._pool.fetch(claim, self._worker)]
            if not ids:
                await asyncio.sleep(0.02)
                continue
            results = [{"id": id, "state": "finished", "outcome": "known", "extra_attempts": 0} for id in ids]
            outputs = [_output(id) for id in ids]
            await self._pool.execute("SELECT netpulse.finish_jobs($1, $2, $3)", self._worker, results, outputs)


def _new_job(number: int) -> dict[str, Any]:
    return {
        "driver": "netmiko",
        "operation": "command",
        "device_key": f"r{number}.bench:22",
        "host": f"r{number}.bench",
        "port": 22,
        "zone": "default",
        "strategy": "pinned",
        "priority": 0,
        "request": {"command": ["show version"]},
        "sealed": "s" * 300,
        "ttl_s": 300,
        "execution_timeout_s": 300,
        "max_attempts": 1,
        "submitted_by": "bench",
    }


def _output(job_id: str) -> dict[str, Any]:
    said = {"stdout": "version 7" + " Cisco IOS Software" * 40, "stderr": "", "duration_s": 0.01}
    return {"job_id": job_id, "position": 0, "command": "show version", "verdict": "done", **said}


@asynccontextmanager
async def _site(url: str) -> AsyncIterator[_Load]:
    pool = await create_pool(url, size=20)
    await pool.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
    worker = await pool.fetchval("SELECT netpulse.register_worker('bench', 1, 'default', 10000)")
    yield _Load(pool, worker)
    await pool.close()
