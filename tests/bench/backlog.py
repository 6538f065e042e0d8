"""Claiming from a queue in which 100,000 jobs wait, in several shapes, against the same claim from an empty one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from app import migrations
from tests.bench.measure import Measure, Site, median_ms
from tests.bench.plans import Plans

DATABASE = "backlog"
BATCH = 32  # PinnedJobManager.MOST_CLAIMED
ME, ANOTHER = 1, 2

_DEVICES = """
    INSERT INTO netpulse.device (key, host, port, zone, worker_id)
    SELECT d.name || ':22', d.name, 22, 'default', %(worker)s
      FROM generate_series(1, %(devices)s) AS n, LATERAL (SELECT 'r' || n AS name) AS d
"""
_JOBS = """
    WITH job AS (
        INSERT INTO netpulse.job (
            id, driver, operation, device_key, host, zone, strategy, request, sealed, submitted_by, queue_job_id,
            execution_timeout_s, expires_at)
        SELECT netpulse.uuid7(now() + n * interval '1 microsecond'), 'netmiko', 'command', d.name || ':22', d.name,
               'default', %(strategy)s, '{"command": ["show version"]}', convert_to(repeat('s', 300), 'UTF8'), 'admin',
               n, 300, now() + interval '1 day'
          FROM generate_series(1, %(jobs)s) AS n,
               LATERAL (SELECT 'r' || (n - 1) %% %(devices)s + 1 AS name) AS d
        RETURNING id, device_key, queue_job_id)
    INSERT INTO procrastinate_jobs (id, queue_name, task_name, lock, args)
    SELECT queue_job_id, %(queue)s, 'run', CASE WHEN %(strategy)s = 'pinned' THEN device_key END,
           jsonb_build_object('job_id', id) FROM job ORDER BY queue_job_id
"""
_EMPTY = "TRUNCATE procrastinate_jobs, netpulse.job, netpulse.device CASCADE"
_CLAIM = "SELECT * FROM netpulse.claim_jobs(%s, %s, %s, NULL, %s)"
_BUSY = "UPDATE procrastinate_jobs SET status = 'doing', worker_id = 1 WHERE id <= %s"


@dataclass(frozen=True)
class Shape:
    """`jobs` that wait for `devices` of `worker`; `busy`: each of them runs another one.

    `looks_at`: the devices that the claim names, as a worker does between two looks at everything.
    """

    name: str
    devices: int
    jobs: int
    worker: int = ME
    strategy: str = "pinned"
    busy: bool = False
    looks_at: tuple[str, ...] | None = None
    goal: str = "≤ 2 ×"

    @property
    def queue(self) -> str:
        """Where they wait."""
        return "fifo:default" if self.strategy == "fifo" else f"w:{self.worker}"


def claims(site: Site) -> Iterator[Measure]:
    """Claims are rolled back, so each meets the same queue. What claims nothing is held against an empty queue, what
    claims a batch against a queue with just that batch."""
    jobs, wide, repeats = (10_000, 1000, 20) if site.quick else (100_000, 10_000, 60)
    empty, fifo = Shape("empty queue", 1, 0), Shape(f"{BATCH} waiting", BATCH, BATCH, strategy="fifo")
    batch = Shape(f"{BATCH} waiting", BATCH, BATCH)
    with _database(site) as connection:
        for shape, reference in (
            (Shape("for others", wide, jobs, worker=ANOTHER), empty),
            (Shape("200 devices of mine, all busy; told of one", 200, jobs, busy=True, looks_at=("r7:22",)), empty),
            (Shape("the same, the look at all every 5 s", 200, jobs, busy=True, goal=""), empty),
            (Shape("200 devices of mine", 200, jobs), batch),
            (Shape(f"{wide:,} devices of mine", wide, jobs), batch),
            (Shape("fifo", 200, jobs, strategy="fifo"), fifo),
        ):
            before = _claim_ms(connection, reference, repeats)
            took = _claim_ms(connection, shape, repeats)
            _explain(connection, shape, site.plans)
            same = (before + _claim_ms(connection, reference, repeats)) / 2
            yield Measure(f"claim, {jobs:,} waiting: {shape.name}", took, "ms", shape.goal, same, reference.name)


def _explain(connection: psycopg.Connection[Any], shape: Shape, plans: Plans) -> None:
    """The two ways in which claim_jobs looks, with its settings: EXPLAIN does not see inside functions."""
    for setting in connection.execute(_SETTINGS).fetchall():
        connection.execute("SELECT set_config(%s, %s, false)", str(setting[0]).split("=", 1))
    for look, index in ((_FRONT, "netpulse_queue_idx"), (_HEAD, "netpulse_queue_lock_idx")):
        title = f"claim_jobs, {shape.jobs:,} waiting: {shape.name}"
        plans.write_statement(title, connection, look.format(queue=shape.queue), index)
    connection.execute("RESET ALL")


_SETTINGS = (
    "SELECT unnest(proconfig) FROM pg_proc WHERE pronamespace = 'netpulse'::regnamespace AND proname = 'claim_jobs'"
)
_FRONT = """SELECT id, priority, lock FROM procrastinate_jobs
             WHERE status = 'todo' AND queue_name BETWEEN '{queue}' AND '{queue}'
             ORDER BY queue_name, priority DESC, id LIMIT 96"""
_HEAD = """SELECT lock, id, priority FROM procrastinate_jobs
            WHERE status = 'todo' AND queue_name = '{queue}' AND lock > 'r5' ORDER BY lock, priority DESC, id LIMIT 1"""


def _claim_ms(connection: psycopg.Connection[Any], shape: Shape, repeats: int) -> float:
    _fill(connection, shape)
    looks_at = None if shape.looks_at is None else list(shape.looks_at)

    def claim() -> None:
        with connection.transaction(force_rollback=True):
            connection.execute(_CLAIM, [ME, 1, BATCH, looks_at]).fetchall()

    return median_ms(claim, repeats)


def _fill(connection: psycopg.Connection[Any], shape: Shape) -> None:
    connection.execute(_EMPTY)
    values = {
        "devices": shape.devices,
        "jobs": shape.jobs,
        "worker": shape.worker,
        "strategy": shape.strategy,
        "queue": shape.queue,
    }
    connection.execute(_DEVICES, values)
    connection.execute(_JOBS, values)
    if shape.busy:
        connection.execute(_BUSY, [shape.devices])
    connection.execute("VACUUM ANALYZE procrastinate_jobs, netpulse.job, netpulse.device")


@contextmanager
def _database(site: Site) -> Iterator[psycopg.Connection[Any]]:
    site.server.ensure_database(DATABASE)
    url = site.server.url(DATABASE)
    migrations.upgrade(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        for pid in (ME, ANOTHER):
            connection.execute("SELECT netpulse.register_worker('bench', %s, 'default', 10000)", [pid])
        yield connection
