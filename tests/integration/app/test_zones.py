"""`options.zone`: where a job runs, and what the answer says when nobody is there."""

from typing import Any

import httpx
import psycopg
import pytest

from tests.integration.app.answers import failure, fault, success
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.serving import body

NOBODY = "No worker serves the zone 'branch' now"


def zones(database: str) -> list[tuple[Any, ...]]:
    """Zone and queue of each job."""
    with psycopg.connect(database) as connection:
        sql = "SELECT j.zone, q.queue_name FROM netpulse.job j JOIN procrastinate_jobs q ON q.id = j.queue_job_id"
        return connection.execute(f"{sql} ORDER BY j.id").fetchall()


@pytest.mark.parametrize("place", ["options", "top"])
def test_it_decides_where(api: httpx.Client, database: str, place: str) -> None:
    given: dict[str, Any] = {"zone": "branch"} if place == "top" else {"options": {"zone": "branch"}}
    with SqlWorker(database):
        [warning] = success(api.post("/device/execute", json=body(**given)), 201)["warnings"]
        assert warning.startswith(NOBODY)
        [warning] = success(api.post("/device/bulk", json=body(devices=[{"host": "b"}, {"host": "c"}], **given)), 201)[
            "warnings"
        ]
        assert warning.startswith(NOBODY)
        assert zones(database) == [("branch", "pinned:branch")] * 3


@pytest.mark.parametrize("strategy", ["pinned", "fifo"])
def test_no_warning_where_somebody_serves(api: httpx.Client, database: str, strategy: str) -> None:
    with SqlWorker(database) as worker:
        data = success(api.post("/device/execute", json=body(queue_strategy=strategy)), 201)
        assert data["warnings"] == []
        queue = "fifo:default" if strategy == "fifo" else f"w:{worker.id}"
        assert zones(database) == [("default", queue)]


def test_a_replay_of_what_has_ended_does_not_warn(api: httpx.Client, database: str) -> None:
    key = {"Idempotency-Key": "k"}
    with SqlWorker(database) as worker:
        success(api.post("/device/execute", json=body(), headers=key), 201)
        worker.run_all()
        worker.execute("SELECT netpulse.stop_workers(ARRAY[%s::bigint], true)", worker.id)
    assert success(api.post("/device/execute", json=body(), headers=key))["warnings"] == []


def test_a_device_with_jobs_elsewhere(api: httpx.Client, database: str) -> None:
    """Two zones' workers must not speak to one device at a time."""
    success(api.post("/device/execute", json=body()), 201)
    refused = failure(api.post("/device/execute", json=body(zone="branch")), 409)
    assert "192.0.2.1 has jobs in the zone 'default'" in refused["message"]
    bulk = success(
        api.post("/device/bulk", json=body(zone="branch", devices=[{"host": "192.0.2.1"}, {"host": "b"}])), 201
    )
    assert [job["host"] for job in bulk["succeeded"]] == ["b"]
    [item] = bulk["failed"]
    assert (item["index"], item["host"]) == (0, "192.0.2.1")
    assert "has jobs in the zone 'default'" in item["reason"]
    assert [zone for zone, _ in zones(database)] == ["default", "branch"]


@pytest.mark.parametrize("zone", ["", "Branch", "a b", "x" * 31, 5])
def test_not_a_zone(asking: httpx.Client, zone: object) -> None:
    assert fault(asking.post("/device/execute", json=body(options={"zone": zone})))["loc"] == ["options", "zone"]
