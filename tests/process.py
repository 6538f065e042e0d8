"""One of our processes, as the tests start, freeze and kill it."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from app.postgres.account import Account
from app.postgres.child import spawn
from tests.waiting import DEADLINE_S


class Process:
    """One of our processes. `log` holds its standard output and error."""

    def __init__(self, name: str, environment: Mapping[str, str], directory: Path) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        ourselves = Account("", os.geteuid(), os.getegid())
        command: list[str | Path] = [sys.executable, "-m", "app.cli", name.partition("-")[0]]
        with self.log.open("ab") as output:
            self._child = spawn(command, ourselves, output, environment)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def text(self) -> str:
        """Its log so far."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._child.kill()
        self._child.wait()

    def terminate(self) -> None:
        """SIGTERM; does not wait for the end (see `wait`)."""
        self._child.terminate()

    def wait(self, timeout_s: float = DEADLINE_S) -> int:
        """Its exit status, once it has ended."""
        return self._child.wait(timeout_s)

    def freeze(self) -> None:
        """SIGSTOP: it stands still, and nobody is told."""
        self._child.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._child.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """End it for good, in whatever state it is."""
        with suppress(ProcessLookupError):
            self.thaw()
            self.terminate()
        try:
            self.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
