"""What every measure is made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from app.postgres import EmbeddedPostgres
from drivers.lab import LabProcess
from tests.bench.client import BenchClient
from tests.bench.plans import Plans

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
    """The stack under measurement: a site's own processes and its devices."""

    database_url: str
    api: psutil.Process
    worker: psutil.Process
    lab: LabProcess
    connect: Callable[[], BenchClient]


@dataclass(frozen=True)
class Site:
    """Where a group that needs other databases makes them. `quick`: fewer samples, smaller heaps of rows."""

    server: EmbeddedPostgres
    directory: Path
    lab: LabProcess
    plans: Plans
    quick: bool


def timed_ms(call: Callable[[], object]) -> float:
    """Wall milliseconds of one call."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def median_ms(call: Callable[[], object], repeats: int, warm_up: int = 10) -> float:
    """The median of `repeats` calls, after some that do not count."""
    for _ in range(warm_up):
        call()
    return median(timed_ms(call) for _ in range(repeats))


def cpu_s(process: psutil.Process) -> float:
    """Processor seconds that a process has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)
