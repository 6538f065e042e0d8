"""Several of our processes run as one: started in order, restarted when they end, stopped in the reverse order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

import httpx

from app.postgres.account import Account
from app.postgres.child import spawn

POLL_S = 0.1
RESTART_AFTER_S = 1.0
STOP_TIMEOUT_S = 90.0


class StartFailed(Exception):
    """A process did not get ready. The message says which, and where to look."""


@dataclass(slots=True)
class Service:
    """A `netpulse` command as a child that ends with us, however we end."""

    command: str
    environment: Mapping[str, str] = field(repr=False)
    output: IO[bytes] = field(repr=False)
    process: subprocess.Popen[bytes] | None = None
    ended_at: float | None = None

    def start(self) -> None:
        """Start it. Call it from the main thread."""
        ourselves = Account("", os.geteuid(), os.getegid())
        command = [sys.executable, "-m", "app.cli", self.command]
        self.process = spawn(list(command), ourselves, self.output, {**os.environ, **self.environment})
        self.ended_at = None

    def revive(self) -> bool:
        """Start it again a moment after it failed; True if it has just been found ended.

        One that ended with status 0 was asked to, and stays ended.
        """
        if self.process is None or not self.process.poll():
            return False
        if self.ended_at is None:
            self.ended_at = time.monotonic()
            return True
        if time.monotonic() - self.ended_at > RESTART_AFTER_S:
            self.start()
        return False

    def stop(self) -> None:
        """SIGTERM, and wait for it; SIGKILL if that takes too long."""
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Supervisor:
    """Runs services until a signal."""

    def __init__(self, services: Sequence[Service], on_end: Callable[[Service], None]) -> None:
        """`on_end` hears of each service that ended by itself; it is restarted."""
        self._services = services
        self._on_end = on_end
        self._stop = threading.Event()

    def __enter__(self) -> Supervisor:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self._stop.set())
        try:
            for service in self._services:
                service.start()
        except BaseException:  # nothing may be left running
            self.stop()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    @property
    def stopping(self) -> bool:
        """True once a signal asked us to stop."""
        return self._stop.is_set()

    def watch(self) -> None:
        """Restart what ends, until a signal."""
        while not self._stop.wait(POLL_S):
            self._revive()

    def wait_until(self, ready: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Poll until `ready`. Raises StartFailed after `timeout_s` seconds, or if a signal comes or a service ends."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            ended = [service.command for service in self._services if service.process and service.process.poll()]
            if ended or self._stop.is_set() or time.monotonic() > deadline:
                raise StartFailed(f"{what} did not get ready" + (f": {ended[0]} ended, see its log" if ended else ""))
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Stop all services, the last one first."""
        for service in reversed(self._services):
            service.stop()

    def _revive(self) -> None:
        for service in self._services:
            if service.revive():
                self._on_end(service)


def answers(url: str) -> bool:
    """True if a GET of `url` answers 200."""
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
