"""What is measured. Each function returns its measures, in the order in which they are shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median, quantiles
from typing import Any

import psutil
import psycopg
from netmiko import BaseConnection, ConnectHandler

from drivers.lab import LabDevice, LabProcess
from tests.bench.client import BenchClient

COMMAND = "show version"


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the table. `reference` is in the same unit and was taken in the same run."""

    name: str
    value: float
    unit: str
    goal: str = ""
    reference: float | None = None
    reference_name: str = ""

    @property
    def ratio(self) -> float | None:
        """Value over reference."""
        return self.value / self.reference if self.reference else None

    def as_json(self) -> dict[str, Any]:
        """For bench.json."""
        return asdict(self) | {"ratio": self.ratio}


@dataclass(frozen=True)
class Bench:
    """The stack under measurement."""

    database_url: str
    worker: psutil.Process
    lab: LabProcess
    connect: Callable[[], BenchClient]


def timed_ms(call: Callable[[], object]) -> float:
    """Wall milliseconds of one call."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def latency(bench: Bench, devices: Iterable[LabDevice], repeats: int) -> Iterator[Measure]:
    """First and warm command, by NetPulse and by plain netmiko, in turn on the same devices."""
    first, warm, plain_first, plain_warm = [], [], [], []
    with bench.connect() as client:
        for device in devices:
            through_netpulse = partial(client.execute, device, wait=30, command=COMMAND)
            first.append(timed_ms(through_netpulse))
            began = time.perf_counter()
            with _plain_session(bench.lab, device) as session:
                session.send_command(COMMAND)
                plain_first.append((time.perf_counter() - began) * 1000)
                for _ in range(repeats):
                    warm.append(timed_ms(through_netpulse))
                    plain_warm.append(timed_ms(partial(session.send_command, COMMAND)))
    plain = "plain netmiko"
    yield Measure("first command, p50", median(first), "ms", "≤ 600 (later 400)", median(plain_first), plain)
    yield Measure("warm command, p50", median(warm), "ms", "≤ 25 (later 15)", median(plain_warm), plain)
    yield Measure("warm command, p95", quantiles(warm, n=20)[-1], "ms", "", quantiles(plain_warm, n=20)[-1], plain)


def submission(bench: Bench, device: LabDevice, repeats: int) -> Iterator[Measure]:
    """POST without waiting; the jobs drain meanwhile."""
    with bench.connect() as client:
        posts = [timed_ms(lambda: client.execute(device, command=COMMAND)) for _ in range(repeats)]
        client.execute(device, wait=60, command=COMMAND)
    with psycopg.connect(bench.database_url, autocommit=True) as connection:
        selects = [timed_ms(lambda: connection.execute("SELECT 1").fetchone()) for _ in range(repeats)]
    yield Measure("POST that queues one job, p50", median(posts), "ms", "≤ 5", median(selects), "SELECT 1")


def holding(bench: Bench, devices: list[LabDevice], idle_s: float) -> Iterator[Measure]:
    """Memory per held session, and the worker's CPU while it only holds them."""
    before = bench.worker.memory_info().rss
    burst_s = _burst(bench, devices)
    _burst(bench, devices)
    grown = bench.worker.memory_info().rss - before
    with psycopg.connect(bench.database_url) as connection:
        _until_idle(connection, len(devices))
    cpu, began = _cpu_s(bench.worker), time.perf_counter()
    time.sleep(idle_s)  # what is measured is doing nothing
    idle = (_cpu_s(bench.worker) - cpu) / (time.perf_counter() - began) * 100
    count = len(devices)
    yield Measure(f"{count} devices, cold: submit to last result", burst_s, "s")
    yield Measure(f"memory per held session, {count} held", grown / count / 1e6, "MB", "≤ 0.3 (later 0.2)")
    yield Measure(f"idle CPU, {count} sessions held", idle, "% of a core", "≤ 2")


def throughput(bench: Bench, devices: list[LabDevice], jobs: int) -> Iterator[Measure]:
    """Many jobs over held devices: submit to last result."""
    _burst(bench, devices)
    rounds = [devices[index % len(devices)] for index in range(jobs)]
    with _plain_session(bench.lab, devices[0]) as session:
        plain_ms = median(timed_ms(lambda: session.send_command(COMMAND)) for _ in range(20))
    seconds = _burst(bench, rounds)
    name = f"{jobs} jobs over {len(devices)} held devices"
    yield Measure(name, jobs / seconds, "jobs/s", "later ≥ 400", 1000 / plain_ms, "one plain netmiko session")


def _burst(bench: Bench, devices: list[LabDevice], clients: int = 8) -> float:
    """Seconds from the first submission of a job for each of `devices` to the last result."""

    def work(share: list[LabDevice]) -> None:
        with bench.connect() as client:
            ids = [client.execute(device, command=COMMAND)["id"] for device in share]
            for job_id in ids:
                job = client.job(job_id, wait=60)
                if job["status"] != "finished":
                    raise RuntimeError(f"{job['device_name']}: {job['result']}")

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(work, [devices[number::clients] for number in range(clients)]))
    return time.perf_counter() - began


def _until_idle(connection: psycopg.Connection[Any], held: int, timeout_s: float = 30) -> None:
    """Wait for a heartbeat that says: nothing runs, and so many sessions are held."""
    deadline = time.monotonic() + timeout_s
    asked = "SELECT busy, held_sessions FROM netpulse.worker WHERE state = 'live'"
    while time.monotonic() < deadline:
        busy, sessions = connection.execute(asked).fetchone() or (0, 0)
        connection.commit()
        if busy == 0 and sessions >= held:
            return
        time.sleep(0.2)
    raise RuntimeError(f"the worker does not hold {held} idle sessions")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def _plain_session(lab: LabProcess, device: LabDevice) -> Iterator[BaseConnection]:
    connection = ConnectHandler(
        device_type="cisco_ios", host=device.host, port=device.port, username=lab.username, password=lab.password
    )
    try:
        yield connection
    finally:
        connection.disconnect()
