"""`GET /worker`, and the health of the service."""

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
