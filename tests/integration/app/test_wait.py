"""Clients that wait for a job's end, and what they leave behind."""

import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.integration.app.answers import success
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.serving import KEY, NAME, InThread, as_process, body, client, connections_to
from tests.integration.postgres.processes import await_true

LONG_S = 60
SOON_S = 10.0
CLIENTS = 1000
WAVE = 50

WAYS: dict[str, Callable[[httpx.Client, str, float], httpx.Response]] = {
    "one": lambda api, id_, wait: api.get(f"/job/{id_}", params={"wait": wait}),
    "list": lambda api, id_, wait: api.get("/job", params={"id": id_, "wait": wait}),
    "submit": lambda api, _id, wait: api.post(
        "/device/execute", json=body(), params={"wait": wait}, headers={"Idempotency-Key": "1"}
    ),
}


@pytest.fixture
def job(api: httpx.Client) -> str:
    """Id of a queued job."""
    return str(success(api.post("/device/execute", json=body(), headers={"Idempotency-Key": "1"}), 201)["id"])


@pytest.fixture
def in_background() -> Iterator[Callable[..., Future[httpx.Response]]]:
    """Starts a request in a thread."""
    with ThreadPoolExecutor(8) as pool:
        yield pool.submit


def waiting(served: InThread, clients: int) -> None:
    """Return when so many clients wait."""
    await_true(lambda: served.services.waiters.waiting == clients, f"not {clients} clients wait")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_answers_at_the_end(
    served: tuple[InThread, httpx.Client], database: str, job: str, in_background: Any, way: Callable[..., Any]
) -> None:
    began = time.monotonic()
    answer = in_background(way, served[1], job, LONG_S)
    waiting(served[0], 1)
    with SqlWorker(database) as worker:
        worker.run_all()
    data = success(answer.result(LONG_S))
    assert time.monotonic() - began < SOON_S
    [found] = data if isinstance(data, list) else [data]
    assert (found["id"], found["status"], found["result"]["retval"][0]["stdout"]) == (job, "finished", "output 0")
    waiting(served[0], 0)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_answers_with_the_state_when_the_time_is_over(api: httpx.Client, job: str, way: Callable[..., Any]) -> None:
    began = time.monotonic()
    data = success(way(api, job, 0.2))
    assert 0.2 <= time.monotonic() - began < SOON_S
    [found] = data if isinstance(data, list) else [data]
    assert (found["id"], found["status"]) == (job, "queued")


@pytest.mark.parametrize("state", ["finished", "failed", "cancelled"])
def test_does_not_wait_for_what_has_ended(api: httpx.Client, database: str, job: str, state: str) -> None:
    with SqlWorker(database) as worker:
        worker.claim()
        worker.finish(job, state)
    began = time.monotonic()
    assert success(api.get(f"/job/{job}?wait={LONG_S}"))["status"] == state
    assert time.monotonic() - began < SOON_S


def test_cancelling_wakes(served: tuple[InThread, httpx.Client], job: str, in_background: Any) -> None:
    answers = [in_background(WAYS["one"], served[1], job, LONG_S) for _ in range(5)]
    waiting(served[0], 5)
    success(served[1].delete(f"/job?id={job}"))
    assert {success(answer.result(SOON_S))["status"] for answer in answers} == {"cancelled"}


def test_a_lost_listener_costs_no_one_the_answer(
    served: tuple[InThread, httpx.Client], database: str, job: str, in_background: Any
) -> None:
    answer = in_background(WAYS["one"], served[1], job, LONG_S)
    waiting(served[0], 1)
    with SqlWorker(database) as worker:
        ours = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'"
        assert worker.execute(f"SELECT pg_terminate_backend(pid) {ours}") == [(True,)]
        worker.run_all()
    assert success(answer.result(SOON_S))["status"] == "finished"


@pytest.fixture
def many_files() -> Iterator[None]:
    """Both ends of a thousand connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if soft < 4096 else soft, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


WATCHED = {
    "wait": (f"/job/{{job}}?wait={LONG_S}", 0),
    "job-events": ("/job/{job}/events", 0),
    "batch-events": ("/batch/{batch}/events", 1),
}


@pytest.mark.parametrize(("url", "common"), WATCHED.values(), ids=WATCHED.keys())
def test_a_thousand_clients_that_go_away_leave_nothing(
    served: tuple[InThread, httpx.Client], database: str, job: str, many_files: None, url: str, common: int
) -> None:
    """`common`: what all of them share waits too."""
    thread, api = served
    bulk = success(api.post("/device/bulk", json=body(devices=[{"host": "192.0.2.2"}])), 201)
    for _ in range(4):  # let the pool grow to its full size
        success(api.get("/job"))
    tasks = thread.tasks()
    peers: list[socket.socket] = []
    while len(peers) < CLIENTS:  # in waves: each asks PostgreSQL once, and a busy machine turns a thousand at once away
        peers += [_ask_raw(thread, url.format(job=job, batch=bulk["batch_id"])) for _ in range(WAVE)]
        waiting(thread, len(peers) + common)
    assert backends(database) <= 4 + 1  # the pool's, and the listener's
    for peer in peers:
        peer.close()
    waiting(thread, 0)
    await_true(lambda: thread.tasks() <= tasks, "tasks are left")
    await_true(lambda: connections_to(thread.port) <= 1, "connections are left")
    assert success(api.get(f"/job/{job}"))["status"] == "queued"
    assert backends(database) <= 4 + 1


def _ask_raw(thread: InThread, url: str) -> socket.socket:
    peer = socket.create_connection(("127.0.0.1", thread.port))
    peer.sendall(f"GET {url} HTTP/1.1\r\nHost: x\r\n{NAME}: {KEY}\r\n\r\n".encode())
    return peer


def backends(database: str) -> int:
    """Connections to `database` other than the one that asks."""
    with psycopg.connect(database) as asking:
        row = asking.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def looking_up(database: str) -> tuple[int, int]:
    """How many statements run that are not the one that asks, and how many of them wait for a lock."""
    with psycopg.connect(database) as asking:
        row = asking.execute(
            """SELECT count(*), count(*) FILTER (WHERE wait_event_type = 'Lock') FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"""
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_shutdown_answers_at_once(database: str, tmp_path: Path, in_background: Any, number: int) -> None:
    with as_process(database, tmp_path / "log") as process, client(process.url) as api:
        job = success(api.post("/device/execute", json=body(), headers={"Idempotency-Key": "1"}), 201)["id"]
        with psycopg.connect(database) as locking:
            locking.execute("LOCK TABLE netpulse.job")
            answers = [in_background(WAYS[way], api, job, LONG_S) for way in WAYS for _ in range(2)]
            # A connection alone may hold a request that nobody has read yet: that one is reset.
            await_true(lambda: looking_up(database) == (len(answers), len(answers)), "not every request is handled")
        await_true(lambda: looking_up(database) == (0, 0), "the job is still looked up")
        began = time.monotonic()
        process.process.send_signal(number)
        statuses = [success(answer.result(SOON_S)) for answer in answers]
        process.process.wait(SOON_S)
        assert time.monotonic() - began < SOON_S
    assert len(statuses) == len(answers)
    assert backends(database) == 0
