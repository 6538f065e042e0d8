"""The secret keys are replaced while a site works: process by process, as docs/settings.md says."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import pytest

from drivers.lab import LabDevice, LabProcess, Slow
from jobs.seal import new_key
from tests.sshd import Sshd, sshd, user
from tests.stack import Job, Stack, error_of
from tests.waiting import until

CLIENTS = 4
DEVICES = 12
SLOW_MS = 200
"""Before each answer: the load is jobs that are under way, not the machine's."""
LATER = "later"
"""A zone that has no worker until the end: its jobs wait from the first key on."""
CONTENT = Random(5).randbytes(1_300_000)


class Load:
    """Clients, each of which asks the devices in turn, and again with the same Idempotency-Key until it is answered."""

    def __init__(self, stack: Stack, devices: list[LabDevice]) -> None:
        self.jobs: list[str] = []
        """Ids of those that were accepted."""
        self._stack = stack
        self._devices = devices
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Ends when the block does; what went wrong in a client is raised."""
        with ThreadPoolExecutor(CLIENTS) as threads:
            clients = [threads.submit(self._ask, number) for number in range(CLIENTS)]
            try:
                yield
            finally:
                self._over.set()
            for client in clients:
                client.result()

    def await_more(self) -> None:
        """Return when some that are accepted from now on have been answered."""
        before = len(self.jobs)
        until(lambda: len(self.jobs) >= before + 2 * CLIENTS, "jobs are accepted")

    def _ask(self, number: int) -> None:
        devices = cycle(self._devices[number::CLIENTS])
        while not self._over.is_set():
            body = self._stack.body(next(devices), command="show clock")
            post = partial(self._post, body, uuid4().hex)
            self.jobs.append(until(post, "a job is accepted"))

    def _post(self, body: Job, key: str) -> str | None:
        try:
            answer = self._stack.http.post(
                "/device/execute", json=body, params={"wait": 5}, headers={"Idempotency-Key": key}
            )
        except httpx.TransportError:  # the API restarts
            return None
        assert answer.status_code in (200, 201, 503), answer.text
        return None if answer.status_code == 503 else str(answer.json()["data"]["id"])


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Sshd]:
    with sshd(tmp_path) as host:
        yield host


def with_keys(*keys: str) -> dict[str, str]:
    return {"NETPULSE_SECRET_KEYS": ",".join(keys)}


def restart_all(stack: Stack, settings: Mapping[str, str]) -> None:
    """Each process, one by one."""
    stack.restart_api(settings)
    for worker in stack.workers:
        worker.terminate()
        assert worker.wait() == 0, worker.text()
        stack.start_worker(settings)
    stack.await_api()


def secrets_rotate(stack: Stack, settings: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`netpulse secrets rotate`."""
    command = [sys.executable, "-m", "app.cli", "secrets", "rotate", *arguments]
    environment = {**os.environ, "DATABASE_URL": stack.database_url, "COLUMNS": "100", **settings}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def rotated(stack: Stack, settings: Mapping[str, str], *arguments: str) -> dict[str, list[int]]:
    """By kind: looked at, re-sealed, not openable. Nothing went wrong."""
    done = secrets_rotate(stack, settings, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.stdout.splitlines() if line[:1] == "│"]
    return {name: [int(number.replace(",", "")) for number in numbers] for name, *numbers in rows}


def upload(stack: Stack, host: Sshd, path: Path, **options: Any) -> Job:
    """Ask for an upload of CONTENT."""
    login = {"host": "127.0.0.1", "port": host.port, "username": user(), "pkey": host.key.read_text()}
    wish = {"file_transfer": {"operation": "upload", "remote_path": str(path)}}
    request = {"driver": "paramiko", "connection_args": login, "driver_args": wish, "options": options}
    parts: dict[str, tuple[str, str | bytes, str]] = {
        "request": ("", json.dumps(request), "application/json"),
        "file": ("image.bin", CONTENT, "application/octet-stream"),
    }
    answer = stack.http.post("/device/execute", files=parts)
    assert answer.status_code == 201, answer.text
    job: Job = answer.json()["data"]
    return job


def test_a_key_is_replaced_under_load_and_no_job_fails(
    database: str, lab: LabProcess, fresh: Callable[[], LabDevice], host: Sshd, tmp_path: Path
) -> None:
    devices, new = [fresh() for _ in range(DEVICES)], new_key()
    with Stack(database, tmp_path, lab, workers=2) as stack:
        old, load = stack.secret_key, Load(stack, devices)
        waiting = [stack.submit(device, command="show version", ttl=3600, zone=LATER) for device in (fresh(), fresh())]
        waiting.append(upload(stack, host, tmp_path / "image.bin", ttl=3600, zone=LATER))
        for device in devices:
            lab.set_faults(device, Slow(delay_ms=SLOW_MS))
        with load.running():
            load.await_more()
            restart_all(stack, with_keys(old, new))
            restart_all(stack, with_keys(new, old))
            counts = rotated(stack, with_keys(new, old), "--batch", "2")
            assert counts["logins of jobs"][0] >= counts["logins of jobs"][1] >= len(waiting)
            assert counts["pieces of files"] == [3, 3, 0]
            restart_all(stack, with_keys(new))
            load.await_more()
        stack.start_worker({**with_keys(new), "NETPULSE_WORKER__ZONE": LATER})
        until(lambda: not stack.rows("SELECT FROM netpulse.job WHERE ended_at IS NULL"), "every job has ended")

        assert stack.rows("SELECT state, error_type FROM netpulse.job WHERE state <> 'finished'") == []
        [row] = stack.rows("SELECT count(*) AS jobs, count(sealed) AS sealed FROM netpulse.job")
        assert row == {"jobs": len(load.jobs) + len(waiting), "sealed": 0}
        assert len(set(load.jobs)) == len(load.jobs) >= 100
        assert (tmp_path / "image.bin").read_bytes() == CONTENT


def test_a_key_that_is_removed_too_early_fails_only_what_it_sealed(
    database: str, lab: LabProcess, fresh: Callable[[], LabDevice], tmp_path: Path
) -> None:
    lost, later, new = fresh(), fresh(), new_key()
    with Stack(database, tmp_path, lab, workers=0) as stack:
        sealed = stack.submit(lost, command="show version")
        stack.restart_api(with_keys(new))
        told = secrets_rotate(stack, with_keys(new))
        assert told.returncode == 1
        assert "1 logins of jobs were sealed under a key that is not in NETPULSE_SECRET_KEYS" in told.stderr
        stack.await_api()
        worker = stack.start_worker(with_keys(new))
        job = stack.await_job(sealed)

        assert (job["status"], error_of(job), job["result"]["error"]["outcome"]) == (
            "failed",
            "CredentialError",
            "known",
        )
        assert "no longer in NETPULSE_SECRET_KEYS; put the key back" in job["result"]["error"]["message"]
        assert lab.logins(lost) == []
        assert stack.run(later, command="show version")["status"] == "finished"
        assert stack.run(lost, command="show version")["status"] == "finished"
        for key in (stack.secret_key, new):
            assert key not in told.stdout + told.stderr + worker.text() + stack.api.text()
