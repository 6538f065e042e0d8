"""64 MB to a host and back: by HTTP, through PostgreSQL, over SFTP on a cable that is pulled twice each way."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest

from drivers.lab import LabProcess
from tests import postgres
from tests.cable import Cable, cable
from tests.sshd import Sshd, sshd, user
from tests.stack import Stack
from tests.waiting import until

SIZE = 64 * 2**20
MOST_GROWTH = 64 * 2**20
"""Bytes that the worker's memory may grow by over all of it; a file held in memory would be four times that."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def stack(
    postgres_url: str, template: str, lab: LabProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    with (
        postgres.new_database(postgres_url, template) as url,
        Stack(url, tmp_path_factory.mktemp("logs"), lab) as stack,
    ):
        yield stack


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("files") / "image.bin"
    file.write_bytes(Random(5).randbytes(SIZE))
    return file


def body(server: Sshd, laid: Cable, **transfer: Any) -> dict[str, Any]:
    login = {"host": "127.0.0.1", "port": laid.port, "username": user(), "pkey": server.key.read_text()}
    return {
        "driver": "paramiko",
        "connection_args": {**login, "host_key_policy": "off"},
        "driver_args": {"file_transfer": transfer},
        "options": {"execution_timeout": 240},
    }


class Memory:
    """The most that a process has grown by, looked at all the time."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before = self._process.memory_info().rss
        self.growth = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.growth = max(self.growth, self._process.memory_info().rss - self._before)

    def end(self) -> int:
        self._ended.set()
        self._thread.join()
        return self.growth


def test_up_and_down_with_the_cable_pulled(stack: Stack, server: Sshd, content: Path, tmp_path: Path) -> None:
    wanted = hashlib.sha256(content.read_bytes()).hexdigest()
    target = tmp_path / "image.bin"
    with cable(server.port) as laid:
        stack.http.post("/device/execute?wait=30", json={**body(server, laid), "driver_args": {}, "command": "true"})
        memory = Memory(stack.worker.pid)

        request = json.dumps(body(server, laid, operation="upload", remote_path=str(target)))
        with content.open("rb") as file:
            parts: Any = {"request": (None, request, "application/json"), "file": ("image.bin", file)}
            accepted = stack.http.post("/device/execute", files=parts)
        assert accepted.status_code == 201, accepted.text
        pull_twice(laid, lambda: _size_of_part(tmp_path))
        up = stack.await_job(accepted.json()["data"], 60)
        assert up["status"] == "finished", up["result"]["error"]
        assert hashlib.sha256(target.read_bytes()).hexdigest() == wanted

        laid.received = 0
        accepted = stack.http.post(
            "/device/execute", json=body(server, laid, operation="download", remote_path=str(target))
        )
        assert accepted.status_code == 201, accepted.text
        pull_twice(laid, lambda: laid.received)
        down = stack.await_job(accepted.json()["data"], 60)
        assert down["status"] == "finished", down["result"]["error"]
        growth = memory.end()

    [file] = down["files"]
    fetched = stack.http.get(file["url"])
    assert (fetched.status_code, file["sha256"], file["size_bytes"]) == (200, wanted, SIZE)
    assert hashlib.sha256(fetched.content).hexdigest() == wanted
    assert [job["result"]["retval"][-1]["parsed"]["resumed_at_bytes"] > 0 for job in (up, down)] == [True, True]
    assert laid.connections >= 1 + 3 + 3
    print(f"the worker grew by {growth / 1e6:.0f} MB")  # noqa: T201 - shown when it fails, or with -s
    assert growth < MOST_GROWTH
    assert stack.rows("SELECT count(*) AS n FROM netpulse.stored_file WHERE state = 'whole'")[0]["n"] >= 1


def pull_twice(laid: Cable, arrived: Callable[[], int]) -> None:
    """Pull the cable after a fifth and after three fifths of the file."""
    for bytes_ in (SIZE // 5, SIZE * 3 // 5):
        until(partial(_beyond, arrived, bytes_), "some of it has arrived", 60)
        laid.pull()


def _beyond(arrived: Callable[[], int], bytes_: int) -> bool:
    return arrived() > bytes_


def _size_of_part(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("image.bin.*.part"))
