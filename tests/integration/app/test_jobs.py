"""`GET /job`: filters, pages, and what a job looks like when it has ended."""

import json
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.app.answers import success
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.serving import body, connection


def submit(api: httpx.Client, host: str = "192.0.2.1", **changes: Any) -> str:
    """Queue a job; its id."""
    given = body(connection_args=connection(host=host), **changes)
    return str(success(api.post("/device/execute", json=given), 201)["id"])


def ids(api: httpx.Client, **query: Any) -> list[str]:
    """The ids that `GET /job` lists."""
    return [job["id"] for job in success(api.get("/job", params=query))]


@pytest.fixture
def worker(database: str) -> Iterator[SqlWorker]:
    """A worker on node1."""
    with SqlWorker(database) as worker:
        yield worker


@pytest.fixture
def jobs(api: httpx.Client, worker: SqlWorker, database: str) -> dict[str, str]:
    """Ids by name: one job of each kind."""
    made = {"finished": submit(api)}
    worker.run_all()
    made["failed"] = submit(api, "192.0.2.2")
    worker.claim()
    worker.finish(made["failed"], "failed", error_type="Unreachable", error_message="no", outcome="known")
    made["claimed"] = submit(api, "192.0.2.3", command=None, config="x")
    made["started"] = submit(api, "192.0.2.4")
    worker.claim()
    made["fifo"] = submit(api, "192.0.2.1", queue_strategy="fifo")
    made["queued"] = submit(api, "192.0.2.3")
    made["cancelled"] = submit(api, "192.0.2.5")
    api.delete("/job", params={"id": made["cancelled"]})
    batch = "UPDATE netpulse.job SET batch_id = id, schedule_id = id WHERE id = %s RETURNING id"
    worker.execute(batch, made["failed"])
    return made


FILTERS: dict[str, tuple[dict[str, str], list[str]]] = {
    "none": ({}, ["cancelled", "queued", "fifo", "started", "claimed", "failed", "finished"]),
    "queued": ({"status": "queued"}, ["queued", "fifo"]),
    "started": ({"status": "started"}, ["started", "claimed"]),
    "finished": ({"status": "finished"}, ["finished"]),
    "failed": ({"status": "failed"}, ["failed"]),
    "cancelled": ({"status": "cancelled"}, ["cancelled"]),
    "host": ({"host": "192.0.2.3"}, ["queued", "claimed"]),
    "fifo": ({"queue": "fifo"}, ["fifo"]),
    "pinned": ({"queue": "pinned_192.0.2.1"}, ["finished"]),
    "host-and-queue": ({"host": "192.0.2.1", "queue": "fifo"}, ["fifo"]),
    "node": ({"node": "node1"}, ["started", "claimed", "failed", "finished"]),
    "other-node": ({"node": "node2"}, []),
    "driver": ({"driver": "netmiko", "status": "failed"}, ["failed"]),
    "other-driver": ({"driver": "napalm"}, []),
    "host-and-status": ({"host": "192.0.2.3", "status": "queued"}, ["queued"]),
    "host-and-wrong-status": ({"host": "192.0.2.3", "status": "failed"}, []),
    "limit": ({"limit": "2"}, ["cancelled", "queued"]),
}


@pytest.mark.parametrize(("query", "found"), FILTERS.values(), ids=FILTERS.keys())
def test_filters(api: httpx.Client, jobs: dict[str, str], query: dict[str, str], found: list[str]) -> None:
    assert ids(api, **query) == [jobs[name] for name in found]


def test_by_id(api: httpx.Client, jobs: dict[str, str]) -> None:
    assert ids(api, id=jobs["failed"]) == [jobs["failed"]]
    assert ids(api, id=jobs["failed"], status="failed", host="192.0.2.2") == [jobs["failed"]]
    assert api.get("/job", params={"id": jobs["failed"], "status": "queued"}).status_code == 404
    for name in ("batch", "schedule"):
        assert ids(api, **{name: jobs["failed"]}) == [jobs["failed"]]
        assert ids(api, **{name: uuid.uuid4()}) == []
    listed = success(api.get("/job", params={"id": jobs["failed"]}))
    assert success(api.get(f"/job/{jobs['failed']}")) == listed[0]


def test_times(api: httpx.Client, jobs: dict[str, str]) -> None:
    created = datetime.fromisoformat(success(api.get(f"/job/{jobs['fifo']}"))["created_at"])
    everything = ids(api)
    later = everything[: everything.index(jobs["fifo"]) + 1]
    assert ids(api, since=created.isoformat()) == later
    assert ids(api, until=created.isoformat()) == everything[len(later) :]
    assert ids(api, since=created.replace(tzinfo=None).isoformat()) == later  # UTC
    assert ids(api, since=(created + timedelta(days=1)).date().isoformat()) == []
    assert ids(api, since="0001-01-01", until="9999-12-31T23:59:59+14:00") == everything


def test_pages_while_jobs_arrive(api: httpx.Client) -> None:
    there = [submit(api, f"192.0.2.{number}") for number in range(1, 12)][::-1]
    walked: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = api.get("/job", params=query)
        walked += [job["id"] for job in success(page)]
        if "x-next-cursor" not in page.headers:
            break
        query["cursor"] = page.headers["x-next-cursor"]
        submit(api, "192.0.2.99")
    assert walked == there


def test_a_full_last_page_is_followed_by_an_empty_one(api: httpx.Client) -> None:
    submit(api)
    page = api.get("/job?limit=1")
    assert ids(api, limit=1, cursor=page.headers["x-next-cursor"]) == []


def test_queued(api: httpx.Client) -> None:
    job = success(api.get(f"/job/{submit(api)}"))
    absent = [
        "started_at",
        "ended_at",
        "worker",
        "duration",
        "queue_time",
        "batch_id",
        "schedule_id",
        "result",
        "config",
        "change",
        "rendered",
    ]
    assert [name for name, value in job.items() if value is None] == sorted(absent, key=list(job).index)
    assert (job["status"], job["attempts"], job["enqueued_at"]) == ("queued", 0, job["created_at"])


def test_finished(api: httpx.Client, worker: SqlWorker) -> None:
    id_ = submit(api)
    worker.run_all()
    job = success(api.get(f"/job/{id_}"))
    assert (job["status"], job["worker"], job["attempts"]) == ("finished", "node1:4711", 1)
    moments = [datetime.fromisoformat(job[name]) for name in ("created_at", "started_at", "ended_at")]
    assert moments == sorted(moments)
    assert job["queue_time"] == pytest.approx((moments[1] - moments[0]).total_seconds())
    assert job["duration"] == pytest.approx((moments[2] - moments[1]).total_seconds())
    [entry] = job["result"].pop("retval")
    assert job["result"] == {"type": 1, "error": None}
    assert entry.pop("metadata")["host"] == "192.0.2.1"
    assert entry == {"command": "line 0", "stdout": "output 0", "stderr": "", "exit_status": 0, "parsed": None}


def test_refused_line(api: httpx.Client, worker: SqlWorker) -> None:
    id_ = submit(api, command=None, config=["a", "b", "c"])
    worker.claim()
    error = {"error_type": "CommandRejected", "error_message": "no", "outcome": "known"}
    worker.finish(id_, "failed", ["done", "refused", "skipped"], **error)
    result = success(api.get(f"/job/{id_}"))["result"]
    assert (result["type"], result["error"]) == (2, {"type": "CommandRejected", "message": "no", "outcome": "known"})
    entries = [(item["metadata"]["verdict"], item["exit_status"], item["stdout"]) for item in result["retval"]]
    assert entries == [("done", 0, "output 0"), ("refused", 1, "output 1"), ("skipped", None, "")]
    assert result["retval"][2]["metadata"]["started_at"] is None
    assert result["retval"][0]["metadata"]["duration_seconds"] == 0.25


def test_cancelled(api: httpx.Client) -> None:
    id_ = submit(api)
    success(api.delete("/job", params={"id": id_}))
    job = success(api.get(f"/job/{id_}"))
    assert (job["status"], job["started_at"], job["duration"]) == ("cancelled", None, None)
    assert (job["result"]["type"], job["result"]["error"]["type"]) == (3, "Cancelled")
    assert job["result"]["retval"] == []


def test_output_of_a_running_job(api: httpx.Client, worker: SqlWorker) -> None:
    id_ = submit(api)
    worker.claim()
    said = {
        "job_id": id_,
        "position": 0,
        "command": "a",
        "verdict": "done",
        "stdout": "b",
        "stderr": "",
        "duration_s": 1,
    }
    output = json.dumps([said])
    assert worker.execute("SELECT netpulse.record_output(%s, %s, %s)", worker.id, id_, output) == [(True,)]
    job = success(api.get(f"/job/{id_}"))
    assert job["status"] == "started"
    assert (job["result"]["type"], job["result"]["retval"][0]["stdout"]) == (None, "b")
