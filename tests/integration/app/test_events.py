"""Server-sent events of jobs and batches."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.app.answers import success
from tests.integration.app.queueing import SqlWorker, output
from tests.integration.app.serving import InThread, as_process, body, client
from tests.integration.app.streaming import await_event, events
from tests.integration.app.test_bulk import hosts, post
from tests.integration.postgres.processes import await_true


@pytest.fixture
def worker(database: str) -> Iterator[SqlWorker]:
    """A worker that has claimed nothing."""
    with SqlWorker(database) as worker:
        yield worker


def submit(api: httpx.Client, **changes: Any) -> str:
    """Queue a job; its id."""
    return str(success(api.post("/device/execute", json=body(**changes)), 201)["id"])


def record(worker: SqlWorker, job: str, position: int) -> None:
    """A command of a running job has ended."""
    said = json.dumps([output(job, position, "done")])
    assert worker.execute("SELECT netpulse.record_output(%s, %s, %s)", worker.id, job, said) == [(True,)]


def test_a_job_as_it_happens(api: httpx.Client, worker: SqlWorker) -> None:
    job = submit(api, command=["show version", "show clock"])
    with api.stream("GET", f"/job/{job}/events") as answer:
        stream = events(answer)
        assert next(stream)[1]["status"] == "queued"
        worker.claim()
        started = await_event(stream, "state")
        assert (started["status"], started["attempts"], started["worker"]) == ("started", 1, "node1:4711")
        for position in range(2):
            record(worker, job, position)
            told = await_event(stream, "output")
            assert (told["position"], told["entry"]["stdout"]) == (position, f"output {position}")
        worker.finish(job, outputs=("done", "done"))
        rest = list(stream)
        assert [kind for kind, _ in rest] == ["state", "end"]
    assert rest[-1][1] == success(api.get(f"/job/{job}"))


@pytest.mark.parametrize("state", ["finished", "failed", "cancelled"])
def test_a_late_subscriber_misses_nothing(api: httpx.Client, worker: SqlWorker, state: str) -> None:
    job = submit(api, command=["a", "b"])
    worker.claim()
    worker.finish(job, state, outputs=("done", "refused"))
    with api.stream("GET", f"/job/{job}/events") as answer:
        told = list(events(answer))
    assert [kind for kind, _ in told] == ["state", "output", "output", "end"]
    assert {told[0][1]["status"], told[-1][1]["status"]} == {state}


def test_a_job_that_begins_again(api: httpx.Client, worker: SqlWorker, database: str) -> None:
    """Its outputs so far are void, and those of the next attempt are told from the first."""
    job = submit(api, command=["a", "b"])
    worker.claim()
    record(worker, job, 0)
    with api.stream("GET", f"/job/{job}/events") as answer:
        stream = events(answer)
        assert await_event(stream, "output")["position"] == 0
        worker.execute("SELECT netpulse.reap_worker(%s)", worker.id)
        with SqlWorker(database, "node2", 2) as second:
            second.claim()
            assert await_event(stream, "state", status="started")["attempts"] == 2
            record(second, job, 0)
            assert await_event(stream, "output")["position"] == 0
            second.finish(job, outputs=("done", "done"))
        assert await_event(stream, "end")["worker"] == "node2:2"


def test_a_lost_listener_loses_no_event(api: httpx.Client, worker: SqlWorker) -> None:
    job = submit(api)
    with api.stream("GET", f"/job/{job}/events") as answer:
        stream = events(answer)
        next(stream)
        ours = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'"
        assert worker.execute(f"SELECT pg_terminate_backend(pid) {ours}") == [(True,)]
        worker.run_all()
        assert await_event(stream, "end")["status"] == "finished"


def test_a_batch_as_it_happens(api: httpx.Client, worker: SqlWorker) -> None:
    batch = success(post(api, hosts(3)), 201)["batch_id"]
    with api.stream("GET", f"/batch/{batch}/events") as answer:
        stream = events(answer)
        assert next(stream)[1] == success(api.get(f"/batch/{batch}"))
        first, second, third = worker.claim()
        await_event(stream, "progress", started=3, queued=0)
        worker.finish(first)
        await_event(stream, "progress", finished=1, ended_at=None)
        worker.finish(second, "failed", error_type="Unreachable", error_message="no route", outcome="known")
        success(api.delete(f"/job?id={third}&force=true"))
        worker.finish(third, "cancelled", error_type="Cancelled", error_message="called off", outcome="known")
        rest = list(stream)
    assert [kind for kind, _ in rest[-2:]] == ["progress", "end"]
    counts = rest[-1][1]
    assert counts == success(api.get(f"/batch/{batch}"))
    assert {name: counts[name] for name in ("total", "queued", "started", "finished", "failed", "cancelled")} == {
        "total": 3,
        "queued": 0,
        "started": 0,
        "finished": 1,
        "failed": 1,
        "cancelled": 1,
    }
    assert counts["errors"] == {"Unreachable": 1, "Cancelled": 1}
    assert counts["created_at"] < counts["ended_at"]


def test_a_batch_that_has_ended(api: httpx.Client, worker: SqlWorker) -> None:
    batch = success(post(api, hosts(2)), 201)["batch_id"]
    worker.run_all()
    with api.stream("GET", f"/batch/{batch}/events") as answer:
        told = list(events(answer))
    assert [(kind, data["finished"]) for kind, data in told] == [("progress", 2), ("end", 2)]


def test_many_watch_one_batch(served: tuple[InThread, httpx.Client], worker: SqlWorker) -> None:
    """They share one look at the database, and each hears of the end."""
    thread, api = served
    batch = success(post(api, hosts(2)), 201)["batch_id"]
    url = f"/batch/{batch}/events"
    with client(thread.url) as other, other.stream("GET", url) as one, api.stream("GET", url) as two:
        streams = [events(one), events(two)]
        assert [next(stream)[0] for stream in streams] == ["progress", "progress"]
        await_true(lambda: thread.services.waiters.waiting == 3, "not two clients and their common look")
        worker.run_all()
        assert [await_event(stream, "end")["finished"] for stream in streams] == [2, 2]
    await_true(lambda: thread.services.waiters.waiting == 0, "somebody still waits")


def test_heartbeats(api: httpx.Client, worker: SqlWorker) -> None:
    """A stream without news sends a comment, every 15 seconds."""
    job = submit(api)
    with api.stream("GET", f"/job/{job}/events") as answer:
        stream = events(answer)
        assert [next(stream)[0] for _ in range(2)] == ["state", ""]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_shutdown_ends_the_streams(database: str, tmp_path: Path, number: int) -> None:
    with as_process(database, tmp_path / "log") as process, client(process.url) as api:
        job = submit(api)
        batch = success(post(api, hosts(1)), 201)["batch_id"]
        with api.stream("GET", f"/job/{job}/events") as one, api.stream("GET", f"/batch/{batch}/events") as two:
            streams = [events(one), events(two)]
            assert [next(stream)[0] for stream in streams] == ["state", "progress"]
            process.process.send_signal(number)
            assert [list(stream) for stream in streams] == [[], []]
        assert process.process.wait(10) in (0, -number)
