"""A worker dies under load: how long its devices are silent."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median

import psycopg

from app import migrations
from drivers.lab import LabDevice
from tests.bench.measure import COMMAND, Measure, Site
from tests.stack import Job, Stack
from tests.waiting import until

DATABASE = "failover"
DEAD_S = 20
HELD = """SELECT d.key FROM netpulse.device AS d JOIN netpulse.worker AS w ON w.id = d.worker_id
           WHERE w.pid = %s"""


def failover(site: Site) -> Iterator[Measure]:
    """Two workers as delivered, devices evenly on both; one is killed while every device has a job waiting or running.

    The reference is the time after which others may take over; what comes on top is finding out and logging in again.
    """
    site.server.ensure_database(DATABASE)
    url = site.server.url(DATABASE)
    migrations.upgrade(url)
    devices = list(site.lab.devices[: 20 if site.quick else 100])
    with Stack(url, site.directory, site.lab, settings={"NETPULSE_WORKER__BEAT_S": "2"}, workers=2) as stack:
        _run_all(stack, devices)
        victim = stack.workers[0]
        with psycopg.connect(url) as connection:
            keys = {row[0] for row in connection.execute(HELD, [victim.pid])}
        orphans = [device for device in devices if f"{device.host}:{device.port}" in keys]
        if not orphans:
            raise RuntimeError("the worker to be killed holds no device")
        for device in devices:
            stack.submit(device, command=COMMAND)
        victim.kill()
        began = time.perf_counter()
        with ThreadPoolExecutor(len(orphans)) as threads:
            silent = list(threads.map(lambda device: _answer_after_s(stack, device, began), orphans))
    name = f"worker killed: {len(orphans)} devices answer again"
    yield Measure(f"{name}, p50", median(silent), "s", "", DEAD_S, "until it counts as dead")
    yield Measure(f"{name}, last", max(silent), "s", "", DEAD_S, "until it counts as dead")


def _run_all(stack: Stack, devices: list[LabDevice]) -> None:
    jobs = [stack.submit(device, command=COMMAND) for device in devices]
    for job in jobs:
        until(partial(_finished, stack, job), "a first job on each device finishes")


def _answer_after_s(stack: Stack, device: LabDevice, began: float) -> float:
    job = stack.submit(device, command=COMMAND, options={"ttl": 120})
    until(partial(_finished, stack, job), f"{device.name} answers again", timeout_s=90)
    return time.perf_counter() - began


def _finished(stack: Stack, job: Job) -> bool:
    return bool(stack.job(job)["status"] == "finished")
