"""Placement: which worker shall hold a device that nobody holds. Pure functions over a snapshot of a zone's workers.

A policy proposes; `submit_jobs` decides under the device's row lock, and falls back to `pick_worker` where the proposed
worker is gone by then. Plug-ins: entry point group `netpulse.placements`, a callable of type Policy each.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from random import Random

GROUP = "netpulse.placements"
DEFAULT = "load_weighted_random"


class UnknownPolicy(Exception):
    """There is no placement policy of that name. The message names the installed ones."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live worker of the zone, as of the snapshot."""

    worker_id: int
    capacity: int
    devices: int
    """Devices that it holds."""

    @property
    def load(self) -> float:
        """0 empty, 1 full; more where it was overfilled."""
        return self.devices / self.capacity

    @property
    def free(self) -> int:
        """Devices that still fit."""
        return max(self.capacity - self.devices, 0)


Policy = Callable[[Sequence[Candidate], int, Random], list[int]]
"""(candidates, how many devices, randomness) → a worker id for each device; candidates are never empty.

When all are full it goes on choosing: a full worker closes its longest idle session to make room.
"""


def greedy(candidates: Sequence[Candidate], count: int, _random: Random) -> list[int]:
    """Fill the oldest worker, then the next: the fewest workers in use."""
    chosen: list[int] = []
    for candidate in sorted(candidates, key=lambda candidate: candidate.worker_id):
        chosen += [candidate.worker_id] * min(candidate.free, count - len(chosen))
    return chosen + _overfill(candidates, count - len(chosen))


def least_load(candidates: Sequence[Candidate], count: int, _random: Random) -> list[int]:
    """Each to the worker with the lowest load, the oldest of equals."""
    return _level(candidates, count, lambda candidate: float(candidate.worker_id))


def least_load_random(candidates: Sequence[Candidate], count: int, random: Random) -> list[int]:
    """Each to the worker with the lowest load, by chance among equals: API processes do not all pick the same one."""
    return _level(candidates, count, lambda _candidate: random.random())


def load_weighted_random(candidates: Sequence[Candidate], count: int, random: Random) -> list[int]:
    """By chance, in proportion to the room that is left: even in the long run, and no crowd on a worker that joins."""
    free = {candidate.worker_id: candidate.free for candidate in candidates}
    chosen: list[int] = []
    while len(chosen) < count and any(free.values()):
        [worker] = random.choices(list(free), weights=list(free.values()))
        free[worker] -= 1
        chosen.append(worker)
    return chosen + _overfill(candidates, count - len(chosen))


BUILT_IN: Mapping[str, Policy] = {
    "greedy": greedy,
    "least_load": least_load,
    "least_load_random": least_load_random,
    DEFAULT: load_weighted_random,
}


def load_policy(name: str) -> Policy:
    """A built-in policy, or an installed one. Raises UnknownPolicy."""
    require_policy(name)
    if name in BUILT_IN:
        return BUILT_IN[name]
    [entry, *_] = entry_points(group=GROUP, name=name)
    policy: Policy = entry.load()
    return policy


def require_policy(name: str) -> None:
    """Raises UnknownPolicy if there is none of that name. Loads nothing."""
    installed = {*BUILT_IN, *entry_points(group=GROUP).names}
    if name not in installed:
        raise UnknownPolicy(f"no such placement policy; installed: {', '.join(sorted(installed))}")


def _level(candidates: Sequence[Candidate], count: int, tie: Callable[[Candidate], float]) -> list[int]:
    """`count` times the least loaded, counting what was given out already."""
    heap = [(candidate.load, tie(candidate), candidate.worker_id, candidate) for candidate in candidates]
    heapq.heapify(heap)
    chosen = []
    for _ in range(count):
        _, order, worker_id, candidate = heap[0]
        chosen.append(worker_id)
        fuller = Candidate(worker_id, candidate.capacity, candidate.devices + 1)
        heapq.heapreplace(heap, (fuller.load, order, worker_id, fuller))
    return chosen


def _overfill(candidates: Sequence[Candidate], count: int) -> list[int]:
    """All are full: spread the rest evenly."""
    full = [Candidate(candidate.worker_id, candidate.capacity, candidate.capacity) for candidate in candidates]
    return _level(full, count, lambda candidate: float(candidate.worker_id))
