"""Many devices at once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

import psycopg

from drivers.lab import LabDevice
from tests.bench.measure import COMMAND, Bench, Measure, cpu_s, timed_ms
from tests.bench.single import plain_session

CLIENTS = 8
MEMBERS = 1000
"""In one request of a bulk, here: what one page of `GET /job?batch=` shows."""


def bulk(bench: Bench, devices: list[LabDevice], rounds: int) -> Iterator[Measure]:
    """One job for each device, without sessions and with them. By `/device/bulk` where the API has it."""
    count = len(devices)
    with plain_session(bench.lab, devices[0]) as session:
        plain_s = median(timed_ms(lambda: session.send_command(COMMAND)) for _ in range(5)) / 1000 * count
    cold = burst(bench, devices)
    warm = median(burst(bench, devices) for _ in range(rounds))
    yield Measure(f"bulk of {count}, cold: submit to all finished", cold, "s", "≤ 1.5")
    name = "one plain session in turn"
    yield Measure(f"bulk of {count}, warm: submit to all finished", warm, "s", "≤ 0.2", plain_s, name)


def throughput(bench: Bench, devices: list[LabDevice], jobs: int, rounds: int) -> Iterator[Measure]:
    """Many jobs over held devices, submit to last result: in one request, and as a request each from 8 clients."""
    burst(bench, devices)
    order = [devices[index % len(devices)] for index in range(jobs)]
    with plain_session(bench.lab, devices[0]) as session:
        plain_ms = median(timed_ms(lambda: session.send_command(COMMAND)) for _ in range(20))
    plain = "one plain netmiko session"
    with bench.connect() as client:
        ways = {"bulk": _by_bulk, "single POSTs": _singly} if client.serves_bulk() else {"single POSTs": _singly}
    for way, run in ways.items():
        seconds = median(_timed_s(lambda run=run: run(bench, order)) for _ in range(rounds))
        name = f"{jobs} jobs over {len(devices)} held devices, {way}"
        yield Measure(name, jobs / seconds, "jobs/s", "≥ 400", 1000 / plain_ms, plain)


def holding(bench: Bench, devices: list[LabDevice], idle_s: float) -> Iterator[Measure]:
    """Memory per held session, and the worker's CPU while it only holds them."""
    with psycopg.connect(bench.database_url, autocommit=True) as connection:
        held = _held_when_idle(connection, 0)
        before = bench.worker.memory_info().rss
        burst_s = burst(bench, devices)
        burst(bench, devices)
        more = _held_when_idle(connection, len(devices)) - held
        grown = bench.worker.memory_info().rss - before
    cpu, began = cpu_s(bench.worker), time.perf_counter()
    time.sleep(idle_s)  # what is measured is doing nothing
    idle = (cpu_s(bench.worker) - cpu) / (time.perf_counter() - began) * 100
    count = len(devices)
    yield Measure(f"{count} devices, {more} logins: submit to last result", burst_s, "s")
    yield Measure(f"memory per held session, {count} held", grown / more / 1e6, "MB", "≤ 0.2")
    yield Measure(f"idle CPU, {count} sessions held", idle, "% of a core", "≤ 2")


def burst(bench: Bench, devices: list[LabDevice]) -> float:
    """Seconds from the submission of a job for each of `devices` to the last result."""
    with bench.connect() as client:
        run = _by_bulk if client.serves_bulk() else _singly
    return _timed_s(lambda: run(bench, devices))


def _by_bulk(bench: Bench, devices: list[LabDevice]) -> None:
    """One request; wait for each device's last job; then read all results."""
    with bench.connect() as client:
        for begin in range(0, len(devices), MEMBERS):
            members = devices[begin : begin + MEMBERS]
            batch = client.bulk(members, command=COMMAND)
            last = {member: job["id"] for member, job in zip(members, batch["succeeded"], strict=True)}
            for job_id in last.values():
                client.job(job_id, wait=60)
            jobs = client.request("GET", f"/job?batch={batch['batch_id']}&limit={MEMBERS}")
            if len(jobs) != len(members):
                raise RuntimeError(f"{len(jobs)} of {len(members)} jobs in the batch")
            for job in jobs:
                _require_finished(job)


def _singly(bench: Bench, devices: list[LabDevice]) -> None:
    """A request for each job, and one for each result."""

    def work(share: list[LabDevice]) -> None:
        with bench.connect() as client:
            ids = [client.execute(device, command=COMMAND)["id"] for device in share]
            for job_id in ids:
                _require_finished(client.job(job_id, wait=60))

    with ThreadPoolExecutor(CLIENTS) as threads:
        list(threads.map(work, [devices[number::CLIENTS] for number in range(CLIENTS)]))


def _require_finished(job: dict[str, Any]) -> None:
    if job["status"] != "finished":
        raise RuntimeError(f"{job['device_name']}: {job['status']}: {job['result']}")


def _timed_s(call: Any) -> float:
    return timed_ms(call) / 1000


def _held_when_idle(connection: psycopg.Connection[Any], least: int, timeout_s: float = 30) -> int:
    """Wait for a heartbeat that says: nothing runs, and so many sessions are held; how many they are."""
    deadline = time.monotonic() + timeout_s
    asked = "SELECT beat, busy, held_sessions FROM netpulse.worker WHERE state = 'live'"
    [first] = connection.execute(asked).fetchall()
    while time.monotonic() < deadline:
        [(beat, busy, held)] = connection.execute(asked).fetchall()
        if beat > first[0] + 1 and busy == 0 and held >= least:
            return int(held)
        time.sleep(0.2)
    raise RuntimeError(f"the worker does not hold {least} idle sessions")
