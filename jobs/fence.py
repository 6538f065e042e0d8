"""The worker's right to write to its devices, which lapses with its heartbeat."""

from __future__ import annotations

import time

from drivers.errors import LeaseLost


class Fence:
    """Open while the last confirmed heartbeat is younger than `limit_s`, counted from when it was sent.

    Others take the devices over after a longer time (`dead_s`), so a worker that was frozen or cut off finds the fence
    closed before it can write to a device that may no longer be its own. Once found closed it stays so: a call that was
    refused has left its job hanging, and only the end of the process frees that.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._confirmed = now()
        self._dead = False

    def confirm(self, sent: float) -> None:
        """A heartbeat sent at `sent` (`now()` before sending) was accepted."""
        self._confirmed = sent

    def close(self) -> None:
        """PostgreSQL said that this incarnation is dead."""
        self._dead = True

    @property
    def is_open(self) -> bool:
        """May this worker still write?"""
        if now() - self._confirmed >= self._limit_s:
            self._dead = True
        return not self._dead

    def check(self) -> None:
        """The guard of every session: raises LeaseLost when the fence is closed. Any thread."""
        if not self.is_open:
            raise LeaseLost("the worker lost touch with PostgreSQL and may no longer write to the device")


def now() -> float:
    """Seconds on a clock that also runs while the machine is suspended, where there is one."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)
