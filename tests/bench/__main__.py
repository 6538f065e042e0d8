"""`make bench`: measure a stack that this starts itself, print one table, write bench.json and bench-plans.txt.

The stack is a site's own: durable PostgreSQL, one API process, one worker, 1,000 devices in a process of their own,
all on this machine. `--quick` takes fewer samples, devices and rows; `--only` some of the groups.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from app import migrations
from app.postgres import EmbeddedPostgres
from drivers.lab import LabProcess
from tests.bench.backlog import claims
from tests.bench.client import BenchClient
from tests.bench.crowd import bulk, holding, throughput
from tests.bench.failover import failover
from tests.bench.great import great_bulk
from tests.bench.measure import Bench, Measure, Site
from tests.bench.past import listings
from tests.bench.plans import Plans
from tests.bench.reports import reports
from tests.bench.retention import retention
from tests.bench.single import latency, submission
from tests.bench.templating import templating
from tests.postgres import open_directory
from tests.stack import Stack

RESULTS = Path("bench.json")
PLANS = Path("bench-plans.txt")
DATABASE = "bench"
AS_DELIVERED = {
    "NETPULSE_WORKER__BEAT_S": "2",
    "NETPULSE_WORKER__POLL_S": "1",
    "NETPULSE_LOG__LEVEL": "WARNING",
}


def main() -> None:
    """Run the groups that were asked for."""
    parser = argparse.ArgumentParser("python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples, devices and rows")
    parser.add_argument("--only", action="append", choices=GROUPS, help="a group; may be given again")
    options = parser.parse_args()
    _raise_file_limit()
    began, measures = time.monotonic(), []
    with (
        open_directory() as directory,
        EmbeddedPostgres(directory / "data") as server,
        LabProcess(100 if options.quick else 1000) as lab,
    ):
        site = Site(server, directory, lab, Plans(PLANS), options.quick)
        for name in options.only or GROUPS:
            for measure in GROUPS[name](site):
                _tell(f"{measure.name}: {measure.value:.4g} {measure.unit}")
                measures.append(measure)
    _show(measures)
    _save(measures)
    for surprise in site.plans.surprises:
        _tell(f"Look at {PLANS}: {surprise}")
    _tell(f"{time.monotonic() - began:.0f} s; plans in {PLANS}, figures in {RESULTS}")


def _sessions(site: Site) -> Iterator[Measure]:
    devices, quick = list(site.lab.devices), site.quick
    few = 5 if quick else 20
    crowd = devices[few : few + 50]
    with ExitStack() as cleanup:
        bench = _start(cleanup, site)
        yield from latency(bench, devices[:few], repeats=10 if quick else 15)
        yield from submission(bench, devices[0], repeats=50 if quick else 200)
        yield from bulk(bench, crowd, rounds=3 if quick else 7)
        yield from throughput(bench, crowd, jobs=200 if quick else 1000, rounds=1 if quick else 3)
        yield from holding(bench, devices, idle_s=5 if quick else 20)


GROUPS: dict[str, Callable[[Site], Iterator[Measure]]] = {
    "sessions": _sessions,
    "claims": claims,
    "listings": listings,
    "bulk": great_bulk,
    "failover": failover,
    "templating": templating,
    "reports": reports,
    "retention": retention,
}


def _start(cleanup: ExitStack, site: Site) -> Bench:
    site.server.ensure_database(DATABASE)
    url = site.server.url(DATABASE)
    migrations.upgrade(url)
    stack = cleanup.enter_context(Stack(url, site.directory, site.lab, settings=AS_DELIVERED))
    base = str(stack.http.base_url)
    processes = psutil.Process(stack.api.pid), psutil.Process(stack.worker.pid)
    return Bench(url, *processes, site.lab, lambda: BenchClient(base, stack.api_key, site.lab))


def _raise_file_limit() -> None:
    """The worker, which inherits it, needs a descriptor for each session; the usual soft limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536, hard))


def _tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - long waits in between


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
