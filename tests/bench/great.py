"""The largest bulk: 10,000 devices in one request. No worker runs: what is measured is the API."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from app import migrations
from drivers.lab import LabDevice
from tests.bench.client import BenchClient
from tests.bench.measure import COMMAND, Measure, Site, timed_ms
from tests.stack import Stack
from tests.waiting import until

DATABASE = "great"

IDLE_S = 0.5
IDLE_PERCENT = 5


def great_bulk(site: Site) -> Iterator[Measure]:
    """How long the POST takes, and what the API's memory does: the first time, and over more of them."""
    site.server.ensure_database(DATABASE)
    url = site.server.url(DATABASE)
    migrations.upgrade(url)
    count = 1000 if site.quick else 10_000
    devices = [LabDevice(f"B{n}", f"198.18.{n // 250}.{n % 250 + 1}", 22) for n in range(count)]  # RFC 2544's range
    settings = {"NETPULSE_LOG__LEVEL": "WARNING", "NETPULSE_SERVER__MAX_BODY_BYTES": str(32 << 20)}
    with (
        Stack(url, site.directory, site.lab, settings=settings, workers=0) as stack,
        BenchClient(str(stack.http.base_url), stack.api_key, site.lab) as client,
    ):
        if not client.serves_bulk():
            return
        api = psutil.Process(stack.api.pid)
        _settle(api)
        before = api.memory_info().rss
        with _peak(api) as peak:
            first = timed_ms(lambda: client.bulk(devices, command=COMMAND)) / 1000
        single = timed_ms(lambda: client.execute(devices[0], command=COMMAND)) / 1000 * count
        settled = api.memory_info().rss
        for _ in range(3):
            client.bulk(devices, command=COMMAND)
        after = api.memory_info().rss
    yield Measure(f"bulk of {count:,}: POST answers", first, "s", "≤ 3", single, "a POST each")
    yield Measure(f"bulk of {count:,}: API memory at its peak, above idle", (max(peak) - before) / 1e6, "MB")
    yield Measure(f"bulk of {count:,}: API memory, three more", (after - settled) / 1e6, "MB", "flat")


def _settle(process: psutil.Process) -> None:
    """Return when it idles: the service imports its drivers beside the first requests."""
    until(lambda: process.cpu_percent(IDLE_S) < IDLE_PERCENT, "the API idles", 30)


@contextmanager
def _peak(process: psutil.Process) -> Iterator[list[int]]:
    """Resident bytes, every 10 ms."""
    seen = [process.memory_info().rss]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            seen.append(process.memory_info().rss)

    watching = threading.Thread(target=look)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()
