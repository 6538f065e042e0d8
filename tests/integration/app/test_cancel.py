"""`DELETE /job`."""

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.app.answers import success
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.test_jobs import submit


@pytest.fixture
def worker(database: str) -> Iterator[SqlWorker]:
    """A worker that has claimed nothing."""
    with SqlWorker(database) as worker:
        yield worker


@pytest.fixture
def jobs(api: httpx.Client, worker: SqlWorker) -> dict[str, str]:
    """Ids by name: finished, running and waiting jobs of two devices."""
    made = {"finished": submit(api, "192.0.2.1")}
    worker.run_all()
    made["running"] = submit(api, "192.0.2.1")
    worker.claim()
    made["first"] = submit(api, "192.0.2.1")
    made["second"] = submit(api, "192.0.2.1")
    made["third"] = submit(api, "192.0.2.1", queue_strategy="fifo")
    made["other"] = submit(api, "192.0.2.2")
    worker.execute("UPDATE netpulse.job SET batch_id = %s WHERE host = '192.0.2.2' RETURNING id", made["other"])
    return made


CASES: dict[str, tuple[dict[str, str], list[str]]] = {
    "id": ({"id": "first"}, ["first"]),
    "id-of-finished": ({"id": "finished"}, []),
    "id-of-running": ({"id": "running"}, []),
    "batch": ({"batch": "other"}, ["other"]),
    "host": ({"host": "192.0.2.1"}, ["first", "second", "third"]),
    "queue": ({"queue": "pinned_192.0.2.1"}, ["first", "second"]),
    "fifo": ({"queue": "fifo"}, ["third"]),
    "host-and-queue": ({"host": "192.0.2.1", "queue": "fifo"}, ["third"]),
    "id-of-another-host": ({"id": "first", "host": "192.0.2.2"}, []),
    "unknown-host": ({"host": "192.0.2.9"}, []),
}


@pytest.mark.parametrize(("query", "cancelled"), CASES.values(), ids=CASES.keys())
def test_cancels(api: httpx.Client, jobs: dict[str, str], query: dict[str, str], cancelled: list[str]) -> None:
    before = states(api, jobs)
    data = success(api.delete("/job", params={name: jobs.get(value, value) for name, value in query.items()}))
    ids = [jobs[name] for name in cancelled]
    assert data == {"cancelled_count": len(ids), "cancelled_jobs": ids, "aborting": []}
    assert states(api, jobs) == before | dict.fromkeys(cancelled, "cancelled")


def states(api: httpx.Client, jobs: dict[str, str]) -> dict[str, Any]:
    """Status by name."""
    found = {job["id"]: job["status"] for job in success(api.get("/job"))}
    return {name: found[id_] for name, id_ in jobs.items()}


def test_force_asks_the_worker(api: httpx.Client, jobs: dict[str, str]) -> None:
    data = success(api.delete("/job", params={"host": "192.0.2.1", "force": "true"}))
    assert data["cancelled_count"] == 3
    assert data["aborting"] == [jobs["running"]]


def test_twice(api: httpx.Client, jobs: dict[str, str]) -> None:
    counts = [success(api.delete("/job?queue=fifo"))["cancelled_count"] for _ in range(2)]
    assert counts == [1, 0]


def test_a_batch_that_is_none(api: httpx.Client, jobs: dict[str, str]) -> None:
    assert success(api.delete("/job", params={"batch": str(uuid.uuid4())}))["cancelled_count"] == 0


def test_cancelled_jobs_are_not_run(api: httpx.Client, worker: SqlWorker) -> None:
    id_ = submit(api)
    success(api.delete("/job", params={"id": id_}))
    assert worker.run_all() == []
    assert worker.execute("SELECT sealed FROM netpulse.job WHERE id = %s", id_) == [(None,)]
