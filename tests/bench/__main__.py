"""`make bench`: measure a stack that this starts itself, print one table, write bench.json.

The stack is a site's own: durable PostgreSQL, one API process, one worker, the devices in a process of their own, all
on this machine. `--quick` takes fewer samples.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from app import migrations
from app.postgres import EmbeddedPostgres
from drivers.lab import LabProcess
from tests.bench.client import BenchClient
from tests.bench.measures import Bench, Measure, holding, latency, submission, throughput
from tests.postgres import open_directory
from tests.stack import Stack

RESULTS = Path("bench.json")
DATABASE = "bench"
AS_DELIVERED = {
    "NETPULSE_WORKER__BEAT_S": "2",
    "NETPULSE_WORKER__POLL_S": "1",
    "NETPULSE_LOG__LEVEL": "WARNING",
}


def main() -> None:
    """Run all measures."""
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples and devices")
    quick: bool = parser.parse_args().quick
    measures = []
    with ExitStack() as cleanup:
        bench = _start(cleanup, devices=60 if quick else 370)
        for measure in _measures(bench, quick=quick):
            print(f"{measure.name}: {measure.value:.4g} {measure.unit}", flush=True)  # noqa: T201 - long waits in between
            measures.append(measure)
    _show(measures)
    _save(measures)


def _measures(bench: Bench, *, quick: bool) -> Iterator[Measure]:
    fresh = list(bench.lab.devices)
    few = 5 if quick else 20
    timed, fresh = fresh[:few], fresh[few:]
    yield from latency(bench, timed, repeats=10 if quick else 25)
    yield from submission(bench, timed[0], repeats=50 if quick else 200)
    crowd, fresh = fresh[: 50 if quick else 300], fresh[50 if quick else 300 :]
    yield from holding(bench, crowd, idle_s=5 if quick else 20)
    yield from throughput(bench, crowd[:50], jobs=200 if quick else 1000)


def _start(cleanup: ExitStack, devices: int) -> Bench:
    directory = cleanup.enter_context(open_directory())
    server = cleanup.enter_context(EmbeddedPostgres(directory / "data"))
    server.ensure_database(DATABASE)
    url = server.url(DATABASE)
    migrations.upgrade(url)
    lab = cleanup.enter_context(LabProcess(devices))
    stack = cleanup.enter_context(Stack(url, directory, lab, settings=AS_DELIVERED))
    base = str(stack.http.base_url)
    return Bench(url, psutil.Process(stack.worker.pid), lab, lambda: BenchClient(base, stack.api_key, lab))


def _show(measures: list[Measure]) -> None:
    table = Table("measure", "value", "goal", "reference", "ratio")
    for measure in measures:
        reference = f"{measure.reference:.4g} {measure.unit} {measure.reference_name}" if measure.reference else ""
        ratio = f"{measure.ratio:.3g}" if measure.ratio else ""
        table.add_row(measure.name, f"{measure.value:.4g} {measure.unit}", measure.goal, reference, ratio)
    Console().print(table)


def _save(measures: list[Measure]) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    result = {
        "at": datetime.now(UTC).isoformat(),
        "commit": head.stdout.strip() or None,
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "load": os.getloadavg()},
        "measures": [measure.as_json() for measure in measures],
    }
    RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
