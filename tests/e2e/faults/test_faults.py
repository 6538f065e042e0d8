"""The short form of the faults suite; `make faults SEEDS=10` runs the long one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.postgres import EmbeddedPostgres
from drivers.lab import LabProcess, Slow
from tests.e2e.faults.proof import gather, violations
from tests.e2e.faults.storm import DATABASE, Plan, Weather, prepare
from tests.postgres import open_directory

SLOW = ("show version", "snmp-server", "logging host")


def plans() -> list[Plan]:
    """One short storm; with FAULT_SEEDS=n, n long ones of 3 workers, 200 devices and 3,000 jobs."""
    seeds = int(os.environ.get("FAULT_SEEDS", "0"))
    if not seeds:
        return [Plan(seed=1)]
    long = {"devices": 200, "jobs": 3000, "submitters": 8, "settle_s": 300}
    return [Plan(seed=seed, rate=80, pause_s=(1.5, 4), absence_s=30, **long) for seed in range(1, seeds + 1)]


@pytest.mark.parametrize("plan", plans(), ids=lambda plan: f"seed-{plan.seed}")
def test_nothing_is_lost_repeated_overlapping_or_untrue(plan: Plan, tmp_path: Path) -> None:
    with open_directory() as directory, EmbeddedPostgres(directory / "data") as server:
        prepare(server)
        with LabProcess(plan.devices) as lab:
            # So that most acts of damage meet a job in the middle of its work.
            lab.set_faults(None, *[Slow(delay_ms=plan.command_ms, command=command) for command in SLOW])
            storm = Weather(plan, tmp_path, server, lab).run()
            evidence = gather(storm, server.url(DATABASE), lab.records())
    states = sorted({(job["state"], job["error_type"] or "") for job in evidence.jobs.values()})
    print(f"seed {plan.seed}: {storm.duplicates} duplicates, {len(storm.damage)} acts: {storm.damage}; {states}")  # noqa: T201 - the story of the storm, with -s or on failure
    assert list(violations(evidence)) == []
