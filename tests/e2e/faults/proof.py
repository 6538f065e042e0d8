"""The proof: what the devices recorded against what PostgreSQL says. Each check names what it found wrong."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import psycopg
from psycopg.rows import dict_row

from drivers.lab import Entry
from tests.e2e.faults.storm import Storm, Task

MARKER = re.compile(r"storm-(\d+-\d+)")


@dataclass(frozen=True)
class Evidence:
    """All there is to look at."""

    storm: Storm
    jobs: dict[str, dict[str, Any]]
    """Rows of netpulse.job, by id."""
    queue: int
    """Rows left in procrastinate_jobs."""
    holders: set[tuple[str, int, int]]
    """(device, epoch, worker) as they were."""
    received: dict[str, list[Entry]]
    """What the devices recorded, by marker key, oldest first."""


def gather(storm: Storm, database_url: str, entries: list[Entry]) -> Evidence:
    """Read PostgreSQL and sort the lab's records."""
    received: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if found := MARKER.search(entry.line):
            received[found[1]].append(entry)
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        jobs = {str(row["id"]): row for row in connection.execute("SELECT * FROM netpulse.job")}
        [left] = connection.execute("SELECT count(*) AS count FROM procrastinate_jobs").fetchall()
        log = connection.execute("SELECT * FROM device_log WHERE worker_id IS NOT NULL").fetchall()
    holders = {(row["key"], row["epoch"], row["worker_id"]) for row in log}
    return Evidence(storm, jobs, left["count"], holders, received)


def violations(evidence: Evidence) -> Iterator[str]:
    """Everything that must not be, a sentence each."""
    yield from _lost(evidence)
    yield from _repeated(evidence)
    yield from _untrue(evidence)
    yield from _out_of_order(evidence)
    yield from _overlapping(evidence)
    yield from _wrong_holder(evidence)


def _lost(evidence: Evidence) -> Iterator[str]:
    accepted = {task.job_id for task in evidence.storm.tasks}
    if len(accepted) != len(evidence.storm.tasks) or accepted != evidence.jobs.keys():
        yield f"{len(evidence.storm.tasks)} submissions, {len(accepted)} ids, {len(evidence.jobs)} jobs"
    for job in evidence.jobs.values():
        if job["ended_at"] is None or job["sealed"] is not None:
            yield f"job {job['id']} is left as {job['state']}"
    if evidence.queue:
        yield f"{evidence.queue} rows are left in the queue"


def _repeated(evidence: Evidence) -> Iterator[str]:
    """A change line reaches its device at most once, whatever became of its job."""
    for task in evidence.storm.tasks:
        if task.change:
            lines = Counter(entry.line for entry in evidence.received[task.key])
            yield from (f"{task.key}: sent {count} times: {line}" for line, count in lines.items() if count > 1)


def _untrue(evidence: Evidence) -> Iterator[str]:
    """What a job says it did, the device saw; a job that says the device saw nothing is right too."""
    for task in evidence.storm.tasks:
        job = evidence.jobs.get(task.job_id or "", {})
        seen = len({entry.line for entry in evidence.received[task.key]})
        if job.get("state") == "finished" and seen < (2 if task.change else 1):
            yield f"{task.key}: finished, but the device saw {seen} lines"
        if task.change and job.get("state") == "failed" and job["outcome"] == "known" and seen:
            yield f"{task.key}: {job['error_type']}, outcome known, but the device saw {seen} lines"
        if job.get("state") == "failed" and job["error_type"] == "DriverFault":
            yield f"{task.key}: {job['error_message']}"


def _pinned(evidence: Evidence) -> dict[str, list[Task]]:
    tasks: dict[str, list[Task]] = defaultdict(list)
    for task in evidence.storm.tasks:
        if not task.fifo:
            tasks[task.device.name].append(task)
    return tasks


def _out_of_order(evidence: Evidence) -> Iterator[str]:
    """On a device, pinned jobs begin in the order of submission; a query may be seen again before the next one."""
    for device, tasks in _pinned(evidence).items():
        begun = [(entry.began, task.sequence) for task in tasks for entry in evidence.received[task.key]]
        highest = 0
        for _, sequence in sorted(begun):
            if sequence < highest:
                yield f"{device}: job {sequence} after job {highest}"
            highest = max(highest, sequence)


def _overlapping(evidence: Evidence) -> Iterator[str]:
    """Between the first and the last line of a pinned job, its device saw no line of another one."""
    for device, tasks in _pinned(evidence).items():
        spans = sorted(_spans(evidence, tasks))
        for (_, end, one), (begin, _, other) in pairwise(spans):
            if begin < end and one != other:
                yield f"{device}: {one} and {other} overlap by {end - begin:.3f} s"


def _spans(evidence: Evidence, tasks: list[Task]) -> Iterator[tuple[float, float, str]]:
    """(first byte, last byte, key) of each visit of a job to its device: one per session that it used."""
    for task in tasks:
        by_session: dict[int, list[Entry]] = defaultdict(list)
        for entry in evidence.received[task.key]:
            by_session[entry.session].append(entry)
        for entries in by_session.values():
            ends = [entry.ended if entry.ended is not None else entry.began for entry in entries]
            yield min(entry.began for entry in entries), max(ends), task.key


def _wrong_holder(evidence: Evidence) -> Iterator[str]:
    for job in evidence.jobs.values():
        if job["strategy"] == "pinned" and job["worker_id"] is not None:
            held = (job["device_key"], job["epoch"], job["worker_id"])
            if held not in evidence.holders:
                yield f"job {job['id']} ran on worker {held[2]}, which did not hold {held[0]} in epoch {held[1]}"
