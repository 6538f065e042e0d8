"""One job at a time: by NetPulse and by plain netmiko."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median, quantiles

import psycopg
from netmiko import BaseConnection, ConnectHandler

from drivers.lab import LabDevice, LabProcess
from tests.bench.measure import COMMAND, Bench, Measure, timed_ms


def latency(bench: Bench, devices: Iterable[LabDevice], repeats: int) -> Iterator[Measure]:
    """First and warm command, by NetPulse and by plain netmiko, in turn on the same devices."""
    first, warm, plain_first, plain_warm = [], [], [], []
    with bench.connect() as client:
        for device in devices:
            through_netpulse = partial(client.execute, device, wait=30, command=COMMAND)
            first.append(timed_ms(through_netpulse))
            began = time.perf_counter()
            with plain_session(bench.lab, device) as session:
                session.send_command(COMMAND)
                plain_first.append((time.perf_counter() - began) * 1000)
                for _ in range(repeats):
                    warm.append(timed_ms(through_netpulse))
                    plain_warm.append(timed_ms(partial(session.send_command, COMMAND)))
    plain = "plain netmiko"
    yield Measure("first command, p50", median(first), "ms", "≤ 400", median(plain_first), plain)
    yield Measure("warm command, p50", median(warm), "ms", "≤ 15", median(plain_warm), plain)
    yield Measure("warm command, p95", quantiles(warm, n=20)[-1], "ms", "", quantiles(plain_warm, n=20)[-1], plain)


def submission(bench: Bench, device: LabDevice, repeats: int) -> Iterator[Measure]:
    """POST without waiting; the jobs drain meanwhile."""
    with bench.connect() as client:
        posts = [timed_ms(lambda: client.execute(device, command=COMMAND)) for _ in range(repeats)]
        client.execute(device, wait=60, command=COMMAND)
    with psycopg.connect(bench.database_url, autocommit=True) as connection:
        selects = [timed_ms(lambda: connection.execute("SELECT 1").fetchone()) for _ in range(repeats)]
    yield Measure("POST that queues one job, p50", median(posts), "ms", "≤ 5", median(selects), "SELECT 1")


@contextmanager
def plain_session(lab: LabProcess, device: LabDevice) -> Iterator[BaseConnection]:
    """Netmiko as it comes, logged in."""
    connection = ConnectHandler(
        device_type="cisco_ios", host=device.host, port=device.port, username=lab.username, password=lab.password
    )
    try:
        yield connection
    finally:
        connection.disconnect()
