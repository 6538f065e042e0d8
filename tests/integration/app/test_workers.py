"""`GET /worker`, and the health of the service."""

import json
import uuid
from datetime import datetime
from typing import Any

import httpx
import psycopg
import pytest

from tests import postgres
from tests.integration.app.answers import failure, success
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.serving import in_thread
from tests.integration.app.test_jobs import submit


def names(api: httpx.Client, **query: str) -> list[str]:
    """Names of the listed workers."""
    return [worker["name"] for worker in success(api.get("/worker", params=query))]


def test_fields(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as worker:
        worker.execute("SELECT netpulse.heartbeat(%s, 0, 3, 5, 7)", worker.id)
        [found] = success(api.get("/worker"))
    moments = [datetime.fromisoformat(found.pop(name)) for name in ("birth_at", "last_heartbeat")]
    assert moments == sorted(moments)
    assert found == {
        "name": "node1:4711",
        "status": "idle",
        "pid": 4711,
        "hostname": "node1",
        "zone": "default",
        "queues": [f"w:{worker.id}", "fifo:default"],
        "successful_job_count": 5,
        "failed_job_count": 7,
        "held_sessions": 3,
        "capacity": 10,
    }


STATES: dict[str, tuple[str, list[str]]] = {
    "idle": ("busy = 0", ["idle"]),
    "busy": ("busy = 2", ["busy"]),
    "draining": ("busy = 2, state = 'draining'", ["draining"]),
    "dead": ("state = 'dead'", []),
}


@pytest.mark.parametrize(("change", "listed"), STATES.values(), ids=STATES.keys())
def test_status(api: httpx.Client, database: str, change: str, listed: list[str]) -> None:
    with SqlWorker(database) as worker:
        worker.execute(f"UPDATE netpulse.worker SET {change} RETURNING id")  # noqa: S608 - of the table above
    assert [found["status"] for found in success(api.get("/worker"))] == listed


def test_filters(api: httpx.Client, database: str) -> None:
    assert names(api) == []
    with SqlWorker(database) as first, SqlWorker(database, "node2", 8):
        submit(api, "2001:db8::1")
        [(holder,)] = first.execute("SELECT w.name FROM netpulse.worker w JOIN netpulse.device d ON d.worker_id = w.id")
        cases: dict[str, tuple[dict[str, Any], list[str]]] = {
            "all": ({}, ["node1:4711", "node2:8"]),
            "node": ({"node": "node2"}, ["node2:8"]),
            "host": ({"host": "2001:DB8:0::1"}, [holder]),
            "other host": ({"host": "192.0.2.1"}, []),
            "own queue": ({"queue": f"w:{first.id}"}, ["node1:4711"]),
            "fifo": ({"queue": "fifo:default"}, ["node1:4711", "node2:8"]),
            "both": ({"queue": f"w:{first.id}", "node": "node2"}, []),
        }
        for case, (query, found) in cases.items():
            assert names(api, **query) == found, case


STOPPED: dict[str, tuple[dict[str, str], list[str]]] = {
    "name": ({"name": "node1:4711"}, ["node1:4711"]),
    "node": ({"node": "node2"}, ["node2:8", "node2:9"]),
    "fifo": ({"queue": "fifo:default"}, ["node1:4711", "node2:8", "node2:9"]),
    "both": ({"node": "node2", "name": "node2:9"}, ["node2:9"]),
}


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(("query", "stopping"), STOPPED.values(), ids=STOPPED.keys())
def test_stopping(api: httpx.Client, database: str, query: dict[str, str], stopping: list[str], force: bool) -> None:
    with SqlWorker(database) as first, SqlWorker(database, "node2", 8), SqlWorker(database, "node2", 9):
        data = success(api.delete("/worker", params={**query, "force": force}))
        assert data == {"stopping": stopping}
        rows = first.execute(
            "SELECT name FROM netpulse.worker WHERE state = %s ORDER BY id", "dead" if force else "draining"
        )
        assert [name for (name,) in rows] == stopping
        left = [worker["name"] for worker in success(api.get("/worker")) if worker["status"] != "draining"]
        assert left == [name for name in ("node1:4711", "node2:8", "node2:9") if name not in stopping]


def test_stopping_one_by_its_own_queue(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as first, SqlWorker(database, "node2", 8):
        assert success(api.delete(f"/worker?queue=w:{first.id}")) == {"stopping": ["node1:4711"]}


def test_a_worker_that_is_dead_is_unknown(api: httpx.Client, database: str) -> None:
    with SqlWorker(database):
        success(api.delete("/worker?node=node1&force=true"))
    failure(api.delete("/worker?node=node1"), 404)


def test_force_ends_what_runs(api: httpx.Client, database: str) -> None:
    """A change that had begun is lost, and a person must look."""
    with SqlWorker(database) as worker:
        job = submit(api, config="interface x", command=None)
        worker.claim()
        worker.execute("SELECT netpulse.start_job(%s, %s)", worker.id, job)
        success(api.delete("/worker?node=node1&force=true"))
    error = success(api.get(f"/job/{job}"))["result"]["error"]
    assert (error["type"], error["outcome"]) == ("WorkerLost", "unknown")


def test_letting_go_of_a_device(api: httpx.Client, database: str) -> None:
    """No worker stops, and the holder is told."""
    with SqlWorker(database) as worker, psycopg.connect(database, autocommit=True) as hearing:
        submit(api, "2001:db8::1")
        hearing.execute(f'LISTEN "netpulse:w:{worker.id}"')
        assert success(api.delete("/worker?host=2001:DB8:0::1")) == {"released": ["[2001:db8::1]:22"]}
        [notice] = hearing.notifies(timeout=10, stop_after=1)
        assert notice.payload == "release [2001:db8::1]:22"
        assert [found["status"] for found in success(api.get("/worker"))] == ["idle"]
    failure(api.delete("/worker?host=192.0.2.77"), 404)


def test_sessions(api: httpx.Client, database: str) -> None:
    opened = "2026-01-31T12:00:00+00:00"
    with SqlWorker(database) as first, SqlWorker(database, "node2", 8) as second:
        for worker, host in ((first, "192.0.2.1"), (first, "192.0.2.2"), (second, "192.0.2.3")):
            said = {"id": str(uuid.uuid4()), "device_key": f"{host}:22", "host": host, "driver": "netmiko"}
            report = json.dumps([{**said, "username": "admin", "opened_at": opened}])
            assert worker.execute("SELECT netpulse.report_sessions(%s, %s, '{}')", worker.id, report) == [(True,)]
        cases: dict[str, tuple[dict[str, Any], list[int]]] = {
            "all": ({}, [1, 2, 3]),
            "host": ({"host": "192.0.2.2"}, [2]),
            "node": ({"node": "node2"}, [3]),
            "queue": ({"queue": f"w:{first.id}"}, [1, 2]),
            "fifo": ({"queue": "fifo:default"}, [1, 2, 3]),
            "limit": ({"limit": 1}, [1]),
            "nobody": ({"host": "192.0.2.2", "node": "node2"}, []),
        }
        for case, (query, found) in cases.items():
            listed = [session["host"] for session in success(api.get("/session", params=query))]
            assert listed == [f"192.0.2.{number}" for number in found], case
        [session] = success(api.get("/session?host=192.0.2.1"))
        assert datetime.fromisoformat(session.pop("opened_at")) == datetime.fromisoformat(opened)
        assert session == {
            "host": "192.0.2.1",
            "device_key": "192.0.2.1:22",
            "driver": "netmiko",
            "username": "admin",
            "worker": "node1:4711",
        }
        success(api.delete("/worker?node=node1&force=true"))
        assert [found["host"] for found in success(api.get("/session"))] == ["192.0.2.3"]


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health(api: httpx.Client, path: str) -> None:
    assert success(api.get(path)) == "ok"


def test_not_migrated(empty_database: str) -> None:
    with in_thread(empty_database) as (_, api):
        assert success(api.get("/health/live")) == "ok"
        answer = api.get("/health/ready")
        assert "netpulse migrate" in failure(answer, 503)["message"]
        assert int(answer.headers["retry-after"]) > 0


def test_migrated_to_another_version(api: httpx.Client, database: str) -> None:
    with psycopg.connect(postgres.plain(database)) as connection:
        connection.execute("UPDATE netpulse.alembic_version SET version_num = 'other'")
    assert "netpulse migrate" in failure(api.get("/health/ready"), 503)["message"]
