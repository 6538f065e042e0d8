"""`options.webhook` of a request, and `/webhook/delivery`."""

from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from tests.integration.app.answers import failure, fault, success
from tests.integration.app.keyring import coming_with, make_key
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.serving import SECRET, body, connection

URL = f"https://Hooks.Example/services/{SECRET}?key={SECRET}"
NONE = "00000000-0000-0000-0000-000000000000"


def with_webhook(host: str = "192.0.2.1", **webhook: Any) -> dict[str, Any]:
    """A body."""
    return body(connection_args=connection(host=host), options={"webhook": {"url": URL, **webhook}})


@pytest.fixture
def worker(database: str) -> Iterator[SqlWorker]:
    with SqlWorker(database) as worker:
        yield worker


BAD = {
    "scheme": {"url": "ftp://hooks.example/"},
    "login": {"url": f"https://robot:{SECRET}@hooks.example/"},
    "no-host": {"url": "https:///services"},
    "backslash": {"url": "https://hooks.example\\@192.0.2.1/"},
    "line-end": {"url": "https://hooks.example/\r\nX: y"},
    "long": {"url": "https://hooks.example/" + "a" * 2048},
    "letters": {"url": "https://hööks.example/"},
    "port": {"url": "https://hooks.example:99999/"},
    "timeout": {"timeout": 121},
    "retries": {"max_retries": 21},
    "intervals": {"retry_intervals": []},
    "event": {"events": ["job.started"]},
    "method": {"method": "DELETE"},
    "plug-in": {"name": "carrier-pigeon"},
    "header-name": {"headers": {"X Y": SECRET}},
    "header-value": {"headers": {"X-Y": f"{SECRET}\r\nX: y"}},
    "header-host": {"headers": {"Host": "192.0.2.1"}},
    "header-length": {"headers": {"content-length": "0"}},
    "header-framing": {"headers": {"Transfer-Encoding": "chunked"}},
    "header-connection": {"headers": {"Connection": "keep-alive"}},
    "header-ours": {"headers": {"X-NetPulse-Signature": "sha256=0"}},
    "header-twice": {"headers": {"X-A": "1", "x-a": "2"}},
    "cookie": {"cookies": {"a": f"{SECRET}; b=c"}},
    "auth": {"auth": ["a:b", SECRET]},
    "two-logins": {"auth": ["a", SECRET], "headers": {"Authorization": SECRET}},
    "unknown": {"uri": "https://hooks.example/"},
}


@pytest.mark.parametrize("webhook", BAD.values(), ids=BAD.keys())
def test_what_is_refused(asking: httpx.Client, webhook: dict[str, Any]) -> None:
    found = fault(asking.post("/device/execute", json=with_webhook(**webhook)))
    assert found["loc"][:2] == ["options", "webhook"]


def test_its_secrets_are_in_no_row(api: httpx.Client, database: str) -> None:
    webhook: dict[str, Any] = {
        "headers": {"X-Token": SECRET},
        "cookies": {"session": SECRET},
        "auth": ["robot", SECRET],
        "secret": SECRET,
        "template": "{{ id }}",
    }
    success(api.post("/device/execute", json=with_webhook(**webhook)), 201)
    with psycopg.connect(database) as asked:
        [(request, row)] = asked.execute("SELECT request, j::text FROM netpulse.job j").fetchall()
        assert asked.execute("SELECT count(*) FROM netpulse.webhook_secret").fetchone() == (1,)
    assert SECRET not in row
    assert request["options"]["webhook"] == {
        "url": "https://hooks.example/***",
        "headers": {"X-Token": "***"},
        "cookies": {"session": "***"},
        "auth": ["robot", "***"],
        "secret": "***",
        "template": "{{ id }}",
    }
    assert "sealed_webhook" not in request


def test_an_option_at_the_top_level(api: httpx.Client, worker: SqlWorker) -> None:
    success(api.post("/device/execute", json={**body(), "webhook": {"url": URL}}), 201)
    worker.run_all()
    assert len(success(api.get("/webhook/delivery"))) == 1


def test_the_same_request_with_another_receiver_is_another_one(api: httpx.Client) -> None:
    key = {"Idempotency-Key": "k"}
    first = success(api.post("/device/execute", json=with_webhook(), headers=key), 201)
    assert success(api.post("/device/execute", json=with_webhook(), headers=key))["id"] == first["id"]
    other = with_webhook(url=f"{URL}2")
    failure(api.post("/device/execute", json=other, headers=key), 409)


def test_listing(api: httpx.Client, worker: SqlWorker) -> None:
    jobs = []
    for host in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
        jobs.append(success(api.post("/device/execute", json=with_webhook(host)), 201)["id"])
        worker.run_all()
    worker.execute(
        "UPDATE netpulse.webhook_delivery SET receiver = 'http://b:80' WHERE job_id = %s RETURNING 1", jobs[0]
    )
    found = success(api.get("/webhook/delivery"))
    assert [item["job_id"] for item in found] == jobs[::-1]
    assert {name: found[0][name] for name in ("event_type", "url", "receiver", "state", "attempts")} == {
        "event_type": "job.completed",
        "url": "https://hooks.example/***",
        "receiver": "https://hooks.example:443",
        "state": "due",
        "attempts": [],
    }
    for query, expected in {
        f"job={jobs[1]}": [jobs[1]],
        f"id={found[0]['id']}": [jobs[2]],
        "state=delivered": [],
        "receiver=http://B:80": [jobs[0]],
        "since=2999-01-01": [],
        "since=2020-01-01": jobs[::-1],
    }.items():
        assert [item["job_id"] for item in success(api.get(f"/webhook/delivery?{query}"))] == expected, query


def test_pages(api: httpx.Client, worker: SqlWorker) -> None:
    for number in range(3):
        success(api.post("/device/execute", json=with_webhook(f"192.0.2.{number}")), 201)
    worker.run_all()
    first = api.get("/webhook/delivery?limit=2")
    rest = api.get("/webhook/delivery", params={"limit": 2, "cursor": first.headers["x-next-cursor"]})
    assert len({item["id"] for answer in (first, rest) for item in success(answer)}) == 3
    assert "x-next-cursor" not in rest.headers


def test_a_key_sees_the_deliveries_of_its_own_devices(api: httpx.Client, worker: SqlWorker) -> None:
    for host in ("192.0.2.1", "198.51.100.1"):
        success(api.post("/device/execute", json=with_webhook(host)), 201)
    worker.run_all()
    worker.execute(
        "UPDATE netpulse.webhook_delivery SET state = 'failed', next_at = NULL, failed_at = now() RETURNING id"
    )
    with coming_with(api.base_url, make_key(api, "some", "read", "query", hosts=["192.0.2.0/24"])) as limited:
        [mine] = success(limited.get("/webhook/delivery"))
        ids = {item["id"] for item in success(api.get("/webhook/delivery"))}
        [other] = ids - {mine["id"]}
        failure(limited.post(f"/webhook/delivery/{other}/redeliver"), 404)
        assert success(limited.post(f"/webhook/delivery/{mine['id']}/redeliver"))["state"] == "due"


def test_what_cannot_be_put_back(api: httpx.Client, worker: SqlWorker) -> None:
    failure(api.post(f"/webhook/delivery/{NONE}/redeliver"), 404)
    success(api.post("/device/execute", json=with_webhook()), 201)
    worker.run_all()
    [delivery] = success(api.get("/webhook/delivery"))
    failure(api.post(f"/webhook/delivery/{delivery['id']}/redeliver"), 409)


def test_a_command_that_repeats_a_secret_is_masked(api: httpx.Client, database: str) -> None:
    request = {**with_webhook(secret="Sg9-signing-secret"), "command": "show run | include Sg9-signing-secret"}
    success(api.post("/device/execute", json=request), 201)
    with psycopg.connect(database) as asked:
        [(row,)] = asked.execute("SELECT request -> 'command' ->> 0 FROM netpulse.job").fetchall()
    assert row == "show run | include ***"
