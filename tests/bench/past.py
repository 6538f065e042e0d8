"""Listing jobs with 1,000,000 of them in the history, against 1,000."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any, TypeAlias
from urllib.parse import quote

import psycopg
from sqlalchemy import Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app import migrations
from jobs.history import JobFilter, find_jobs
from tests.bench.client import BenchClient
from tests.bench.measure import Measure, Site, timed_ms
from tests.bench.plans import EXPLAIN, Plans
from tests.stack import Stack

DATABASE = "past"
PAGE = 100
HOST = "r7.bench"
Figure: TypeAlias = tuple[str, tuple[float, float]]
"""Name, milliseconds with the small history and with the large one."""

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)

_JOBS = """
    INSERT INTO netpulse.job (
        id, driver, operation, device_key, host, zone, strategy, state, request, error_type, outcome, submitted_by,
        worker_id, worker, attempts, execution_timeout_s, session_reused, created_at, started_at, ended_at)
    SELECT netpulse.uuid7(at), 'netmiko', 'command', h.name || ':22', h.name, 'default', 'pinned', s.state,
           '{"driver": "netmiko", "command": ["show version"], "connection_args": {"password": "***"}}',
           CASE s.state WHEN 'failed' THEN 'Unreachable' END, 'known', 'admin', 1, 'bench:1', 1, 300, true,
           at, at + interval '5 ms', at + interval '9 ms'
      FROM generate_series(1, %(jobs)s) AS n,
           LATERAL (SELECT %(until)s - (%(jobs)s - n) * interval '1 second' AS at) AS j,
           LATERAL (SELECT 'r' || n %% %(hosts)s || '.bench' AS name) AS h,
           LATERAL (SELECT CASE WHEN n %% %(failing)s = 0 THEN 'failed' ELSE 'finished' END AS state) AS s
"""
_OUTPUTS = """
    WITH said AS (
        INSERT INTO netpulse.output_text (digest, body)
        SELECT sha256(convert_to(body, 'UTF8')), body FROM repeat('Cisco IOS Software ', 32) AS body RETURNING digest)
    INSERT INTO netpulse.job_output (job_id, position, command, verdict, digest, exit_status, started_at, duration_s)
    SELECT id, 0, 'show version', 'done', said.digest, 0, started_at, 0.004 FROM netpulse.job, said
"""


@dataclass(frozen=True)
class Listing:
    """One question: as `GET /job` takes it, as the SQL is made from it, and the index that answers it."""

    name: str
    query: str
    where: JobFilter
    index: str


def _moment(minutes: float) -> datetime:
    return NOON - timedelta(minutes=minutes)


def _range() -> str:
    since, until = (quote(_moment(minutes).isoformat()) for minutes in (15, 10))
    return f"since={since}&until={until}"


LISTINGS = (
    Listing("?host=", f"host={HOST}", JobFilter(host=HOST), "job_host_idx"),
    Listing("?status=failed", "status=failed", JobFilter(status="failed"), "job_unfinished_idx"),
    Listing("?since=&until=", _range(), JobFilter(since=_moment(15), until=_moment(10)), "job_pkey"),
    Listing("plain", "", JobFilter(), "job_pkey"),
)


def listings(site: Site) -> Iterator[Measure]:
    """A page of 100 jobs, with their outputs, by HTTP and as the SQL under it: of both histories in turn."""
    many = 100_000 if site.quick else 1_000_000
    repeats = 20 if site.quick else 100
    urls = [_history(site, jobs) for jobs in (1000, many)]
    figures = [*asyncio.run(_as_sql(urls, repeats, site.plans)), *_by_http(site, urls, repeats)]
    for name, (few, took) in figures:
        yield Measure(f"{name}, {many:,} jobs of history", took, "ms", "≤ 1.5 ×", few, "1,000 jobs")


def _by_http(site: Site, urls: Sequence[str], repeats: int) -> Iterator[Figure]:
    with ExitStack() as cleanup:
        clients = [_client(cleanup, site, url) for url in urls]
        for listing in LISTINGS:
            path = f"/job?limit={PAGE}&{listing.query}".rstrip("&")
            times: list[list[float]] = [[], []]
            for _ in range(repeats + 5):
                for client, seen in zip(clients, times, strict=True):
                    seen.append(timed_ms(partial(_page, client, path)))
            yield f"GET /job {listing.name}", (median(times[0][5:]), median(times[1][5:]))


def _client(cleanup: ExitStack, site: Site, url: str) -> BenchClient:
    settings = {"NETPULSE_LOG__LEVEL": "WARNING"}
    stack = cleanup.enter_context(Stack(url, site.directory, site.lab, settings=settings, workers=0))
    return cleanup.enter_context(BenchClient(str(stack.http.base_url), stack.api_key, site.lab))


def _page(client: BenchClient, path: str) -> None:
    if len(client.request("GET", path)) != PAGE:
        raise RuntimeError(f"{path}: less than a page")


def _history(site: Site, jobs: int) -> str:
    """URL of a database with so many jobs in its history."""
    name = f"{DATABASE}_{jobs}"
    site.server.ensure_database(name)
    url = site.server.url(name)
    migrations.upgrade(url)
    _fill(url, jobs)
    return url


def _fill(url: str, jobs: int) -> None:
    """The same number of jobs a second, ending at NOON; a page's worth and more for each host, and of failures."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET session_replication_role = replica")  # no look at the job for each output
        values = {"jobs": jobs, "hosts": max(10, jobs // 1000), "failing": 5 if jobs <= 1000 else 100, "until": NOON}
        connection.execute(_JOBS, values)
        connection.execute(_OUTPUTS)
        connection.execute("VACUUM ANALYZE netpulse.job, netpulse.job_output, netpulse.output_text")


async def _as_sql(urls: Sequence[str], repeats: int, plans: Plans) -> list[Figure]:
    engines = [
        create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), isolation_level="AUTOCOMMIT")
        for url in urls
    ]
    figures: list[Figure] = []
    for listing in LISTINGS:
        times: list[list[float]] = [[], []]
        for _ in range(repeats + 10):  # the server settles on a plan after five
            for engine, seen in zip(engines, times, strict=True):
                seen.append(await _timed_ms(engine, listing.where))
        figures.append((f"find_jobs {listing.name}", (median(times[0][10:]), median(times[1][10:]))))
        await _explain(engines[-1], listing, plans)
    for engine in engines:
        await engine.dispose()
    return figures


async def _timed_ms(engine: AsyncEngine, where: JobFilter) -> float:
    began = asyncio.get_running_loop().time()
    await find_jobs(engine, where, PAGE)
    return (asyncio.get_running_loop().time() - began) * 1000


async def _explain(engine: AsyncEngine, listing: Listing, plans: Plans) -> None:
    """The plans of the very statements that `find_jobs` sends."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Connection, _cursor: Any, statement: str, parameters: Any, *_rest: object) -> None:
        sent.append((statement, parameters))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    await find_jobs(engine, listing.where, PAGE)
    event.remove(engine.sync_engine, "before_cursor_execute", note)
    async with engine.connect() as connection:
        for (statement, parameters), index in zip(sent, (listing.index, "job_output_pkey"), strict=True):
            rows = await connection.exec_driver_sql(EXPLAIN + statement, parameters)
            plans.write(f"GET /job {listing.name}", (row[0] for row in rows), index)
