"""What goes on record of a submission, and what a key may submit."""

from typing import Any

import httpx
import psycopg
import pytest

from jobs.batches import PART
from tests.integration.app.answers import failure, success
from tests.integration.app.serving import NAME, InThread, body, connection


def made_key(api: httpx.Client, name: str, **rights: Any) -> dict[str, str]:
    """Headers of a new key."""
    key = success(api.post("/key", json={"name": name, "scopes": ["query"], **rights}), 201)["key"]
    return {NAME: key}


def events(api: httpx.Client, action: str, **filters: Any) -> list[dict[str, Any]]:
    """Those of an action, the last one first."""
    found: list[dict[str, Any]] = success(api.get("/audit", params={"action": action, **filters}))
    return found


def test_a_job_is_on_record_with_it(api: httpx.Client) -> None:
    answer = api.post("/device/execute", json=body(), headers={"X-Request-ID": "my-request"})
    job = success(answer, 201)["id"]
    [event] = events(api, "POST /device/execute")

    assert (event["actor"], event["client"], event["host"]) == ("admin", "127.0.0.1", "192.0.2.1")
    assert (event["job_id"], event["allowed"], event["request_id"]) == (job, True, "my-request")


def test_a_repeated_request_is_on_record_too(api: httpx.Client) -> None:
    for status in (201, 200):
        job = success(api.post("/device/execute", json=body(), headers={"Idempotency-Key": "1"}), status)["id"]

    assert [event["job_id"] for event in events(api, "POST /device/execute")] == [job, job]


def test_a_task_is_on_record_with_its_job(api: httpx.Client, database: str) -> None:
    login = {"host": "192.0.2.1", "username": "admin", "password": "x"}
    task = {"driver": "paramiko", "connection_args": login, "command": "true"}
    for status in (201, 200):
        answer = api.post("/detached-task?wait=0", json=task, headers={"Idempotency-Key": "1"})
        job = success(answer, status)["job_id"]
    said = [(event["job_id"], event["host"]) for event in events(api, "POST /detached-task")]
    assert said == [(job, "192.0.2.1")] * 2

    with psycopg.connect(database) as connection:
        connection.execute("ALTER FUNCTION netpulse.record_audit_events RENAME TO gone")
    failure(api.post("/detached-task?wait=0", json=task), 500)
    assert len(success(api.get("/detached-task"))) == 1


def test_a_refused_request_leaves_no_job_and_is_on_record(served: tuple[InThread, httpx.Client]) -> None:
    api = served[1]
    mine = made_key(api, "reader-of-hq", hosts=["10.0.0.0/8", "core*"])
    refusal = failure(api.post("/device/execute", json=body(), headers=mine), 403)
    served[0].run(served[0].services.refusals.stop())
    [event] = events(api, "POST /device/execute", allowed=False)

    assert refusal["message"] == "The key 'reader-of-hq' is not for the device 192.0.2.1."
    assert event["actor"] == "reader-of-hq"
    assert success(api.get("/job")) == []


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"command": None, "config": ["hostname x"]}, "config"),
        ({"connection_args": connection(host_key_policy="off")}, "admin"),
    ],
    ids=["a change", "a lenient policy"],
)
def test_what_a_key_for_queries_may_not_submit(api: httpx.Client, changes: dict[str, Any], missing: str) -> None:
    mine = made_key(api, "asker")
    assert (
        f"lacks the scope {missing}"
        in failure(api.post("/device/execute", json=body(**changes), headers=mine), 403)["message"]
    )


def test_a_jump_host_is_a_host_too(api: httpx.Client) -> None:
    mine = made_key(api, "asker", hosts=["192.0.2.0/24"])
    jump = {"proxy_host": "198.51.100.1", "proxy_username": "x", "proxy_password": "y"}
    refusal = failure(api.post("/device/execute", json=body(connection_args=connection(**jump)), headers=mine), 403)

    assert "198.51.100.1" in refusal["message"]


def test_a_key_refers_to_its_own_credentials_only(api: httpx.Client) -> None:
    mine = made_key(api, "asker", credentials=["sites/hq/*"])
    login = {"device_type": "cisco_ios", "host": "192.0.2.1"}
    allowed = body(connection_args=login, credential_ref="sites/hq/admin")
    refused = body(connection_args=login, credential_ref={"path": "sites/branch/admin"})

    success(api.post("/device/execute", json=allowed, headers=mine), 201)
    assert "sites/branch/admin" in failure(api.post("/device/execute", json=refused, headers=mine), 403)["message"]


def test_members_of_a_bulk_that_the_key_is_not_for_fail_singly(served: tuple[InThread, httpx.Client]) -> None:
    api = served[1]
    mine = made_key(api, "asker", hosts=["192.0.2.0/24"])
    devices = [{"host": host} for host in ("192.0.2.1", "203.0.113.1", "192.0.2.2", "203.0.113.2")]
    bulk = success(api.post("/device/bulk", json=body(devices=devices), headers=mine), 201)
    served[0].run(served[0].services.refusals.stop())
    refused, allowed = events(api, "POST /device/bulk")

    assert [job["host"] for job in bulk["succeeded"]] == ["192.0.2.1", "192.0.2.2"]
    assert {failed["reason"] for failed in bulk["failed"]} == {
        "the key 'asker' is not for the device 203.0.113.1",
        "the key 'asker' is not for the device 203.0.113.2",
    }
    assert (allowed["allowed"], allowed["batch_id"], allowed["job_id"]) == (True, bulk["batch_id"], None)
    assert (refused["allowed"], refused["detail"]["hosts"]) == (False, ["203.0.113.1", "203.0.113.2"])


def test_a_bulk_that_completes_an_earlier_one_is_on_record(api: httpx.Client, database: str) -> None:
    """What is new of it is in its second part."""
    devices = [{"host": f"192.0.2.{number % 250}", "port": 1000 + number} for number in range(PART + 1)]
    sent: dict[str, Any] = {"json": body(devices=devices), "headers": {"Idempotency-Key": "1"}}
    success(api.post("/device/bulk", **sent), 201)
    with psycopg.connect(database) as connection:
        lost = "UPDATE netpulse.job SET idempotency_key = NULL WHERE idempotency_key = %s"
        assert connection.execute(lost, [f"1#{PART}"]).rowcount == 1
    success(api.post("/device/bulk", **sent), 201)

    assert len(events(api, "POST /device/bulk")) == 2


def test_a_key_may_have_so_many_jobs_waiting(api: httpx.Client) -> None:
    mine = made_key(api, "asker", queued_jobs=2)
    for host in ("192.0.2.1", "192.0.2.2"):
        success(api.post("/device/execute", json=body(connection_args=connection(host=host)), headers=mine), 201)
    answer = api.post("/device/execute", json=body(), headers=mine)
    failure(answer, 429)
    assert int(answer.headers["Retry-After"]) >= 1
    failure(api.post("/device/bulk", json=body(devices=[{"host": "192.0.2.9"}]), headers=mine), 429)

    assert len(success(api.get("/job"))) == 2
    success(api.post("/device/execute", json=body()), 201)  # others' jobs do not count
