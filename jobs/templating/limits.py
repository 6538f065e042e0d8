"""What a template may use up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one task, and of the child that runs it."""

    wall_s: float = 2.5
    """Seconds from handing the task to a child until the child is killed; the killing comes on top."""
    cpu_s: int = 2
    """Processor seconds of one task, rounded up to the next whole second of the child's life."""
    memory_bytes: int = 400 * 2**20
    """Address space of a child, its interpreter and libraries (about 60 MB) included."""
    request_bytes: int = 16 * 2**20
    """A task as JSON: the template, its context, the text to parse."""
    answer_bytes: int = 8 * 2**20
    """A result as JSON."""
    wait_s: float = 10.0
    """Seconds that a task waits for a free child."""
    waiting: int = 1000
    """Tasks that wait at the same time."""
    tasks: int = 500
    """Tasks after which a child is replaced, so that nothing piles up in it."""
    start_s: float = 30.0
    """Seconds that a child has to load its engines."""
