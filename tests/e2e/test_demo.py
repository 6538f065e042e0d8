"""`netpulse demo` as a newcomer runs it: first results, lines to paste, Ctrl-C, and again on the same data."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from tests.postgres import open_directory

DEVICES = 3
READY_S = 60


@dataclass(frozen=True)
class Demo:
    """A running demo, and all that it said until it served."""

    process: subprocess.Popen[str]
    text: str
    port: int

    @property
    def key(self) -> str:
        found = re.search(r"^API key: (\S+)$", self.text, re.MULTILINE)
        assert found
        return found[1]

    def curl(self) -> list[str]:
        return [line for line in self.text.splitlines() if line.startswith("curl ")]

    def interrupt(self) -> str:
        """Ctrl-C as a terminal sends it; returns what it still said. Nothing may be left."""
        family = [self.process.pid, *(child.pid for child in psutil.Process(self.process.pid).children(recursive=True))]
        assert len(family) >= 5  # itself, PostgreSQL, API, worker, lab
        os.killpg(self.process.pid, signal.SIGINT)
        rest, _ = self.process.communicate(timeout=30)
        assert [pid for pid in family if psutil.pid_exists(pid)] == []
        return rest


@pytest.fixture
def directory() -> Iterator[Path]:
    with open_directory() as path:
        yield path


def free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def demo(directory: Path) -> Iterator[Demo]:
    port = free_port("127.0.0.1")
    settings = {"NETPULSE_DATA_DIR": str(directory / "data"), "NETPULSE_SERVER__PORT": str(port), "COLUMNS": "120"}
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"} | settings
    command = [sys.executable, "-m", "app.cli", "demo", f"--devices={DEVICES}", f"--lab-port={free_port('127.20.0.1')}"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            yield Demo(process, _until_served(process), port)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def _until_served(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Serving"):
            return "".join(lines)
    raise AssertionError("the demo ended:\n" + "".join(lines))


def jobs(running: Demo) -> list[dict[str, object]]:
    answer = httpx.get(f"http://127.0.0.1:{running.port}/job", headers={"X-API-KEY": running.key})
    data: list[dict[str, object]] = answer.json()["data"]
    return data


@pytest.mark.skipif(sys.platform != "linux", reason="the demo spreads its devices over 127.20.0.x on Linux only")
def test_a_newcomer_sees_results_pastes_lines_and_starts_again(directory: Path) -> None:
    with demo(directory) as first:
        assert re.search(r"First result after [0-9.]+ s", first.text)
        assert all(f"R{number}" in first.text for number in range(1, DEVICES + 1))
        assert re.search(r"done +ip address 192\.0\.2\.1", first.text)
        assert f"http://127.0.0.1:{first.port}/docs" in first.text
        assert [job["status"] for job in jobs(first)] == ["finished"] * (2 * DEVICES + 1)
        key = first.key
        first.interrupt()
        assert first.process.returncode == 0

    with demo(directory) as second:
        assert second.key == key
        assert len(jobs(second)) == 2 * (2 * DEVICES + 1)
        check_pasted_lines(second)
        second.interrupt()


def check_pasted_lines(running: Demo) -> None:
    """The three lines work as printed."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: the lines to paste were not tried")
    query, change, history = [
        subprocess.run(shlex.split(line), capture_output=True, text=True, check=True, timeout=30).stdout
        for line in running.curl()
    ]
    assert '"status":"finished"' in query
    assert '"status":"queued"' in change
    assert "show ip interface brief" in history
