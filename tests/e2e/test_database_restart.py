"""PostgreSQL goes away while jobs run, and comes back."""

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from app import migrations
from app.postgres import EmbeddedPostgres
from drivers.lab import LabDevice, LabProcess, Stall
from tests.postgres import open_directory
from tests.stack import Stack
from tests.waiting import until

CHANGE = ["interface Loopback0", "description while the database was away"]


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A durable server of the module's own: it will be killed."""
    with open_directory() as directory, EmbeddedPostgres(directory / "data") as server:
        server.ensure_database("netpulse")
        migrations.upgrade(server.url("netpulse"))
        yield server


@pytest.fixture(scope="module")
def stack(server: EmbeddedPostgres, lab: LabProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(server.url("netpulse"), tmp_path_factory.mktemp("logs"), lab) as stack:
        yield stack


def _stop(server: EmbeddedPostgres) -> None:
    server.stop()


def _kill(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: server.pid is None, "the server is gone")
    server.stop()


@pytest.mark.parametrize("end", [_stop, _kill])
def test_nothing_is_lost(
    stack: Stack,
    server: EmbeddedPostgres,
    lab: LabProcess,
    fresh: Callable[[], LabDevice],
    end: Callable[[EmbeddedPostgres], None],
) -> None:
    asked, changed, waiting = fresh(), fresh(), fresh()
    worker = stack.worker
    lab.set_faults(asked, Stall(command="show version"))
    lab.set_faults(changed, Stall(command="description"))
    lab.set_faults(waiting, Stall(command="show version"))
    query = stack.submit(asked, command=["show version", "show clock"])
    change = stack.submit(changed, config=CHANGE)
    queue = [stack.submit(waiting, command=command) for command in ("show version", "show clock", "show users")]
    for device, line in ((asked, "show version"), (changed, "description"), (waiting, "show version")):
        lab.wait_received(device, line)

    end(server)
    away = stack.http.post("/device/execute", json=stack.body(asked, command="show users"))
    lab.clear_faults(asked)  # they end while nobody can be told
    lab.clear_faults(changed)
    lab.wait_received(asked, "show clock", done=True)
    server.start()
    lab.clear_faults(waiting)
    stack.await_api()

    assert (away.status_code, away.json()["code"]) == (503, -1)
    assert stack.await_job(query)["status"] == "finished"
    assert stack.await_job(change)["status"] == "finished"
    assert [stack.await_job(job)["status"] for job in queue] == ["finished"] * 3
    assert stack.worker is worker
    assert [line for line in lab.commands(changed) if line in CHANGE] == CHANGE
    assert lab.commands(asked).count("show version") == 1
    assert "show users" not in lab.commands(asked)
    assert stack.run(asked, command="show users")["status"] == "finished"
