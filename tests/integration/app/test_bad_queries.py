"""Queries, addresses and headers that are not valid."""

import socket
import uuid

import httpx
import pytest

from tests.integration.app.answers import assert_log_discreet, failure, fault
from tests.integration.app.serving import KEY, SECRET, AsProcess, body

BAD = {
    "unknown": (f"/job?hostt={SECRET}", "hostt", "did you mean 'host'? Known here: id, queue, status"),
    "unknown-worker": ("/worker?nod=1", "nod", "did you mean 'node'?"),
    "unknown-health": ("/health?x=1", "x", "Known here: none"),
    "repeated": ("/job?host=a&host=b", "host", "more than once"),
    "null-character": ("/job?node=a%00b", "node", "null characters"),
    "null-character-worker": ("/worker?node=%00", "node", "null characters"),
    "limit-0": ("/job?limit=0", "limit", ">= 1"),
    "limit-1001": ("/job?limit=1001", "limit", "<= 1000"),
    "limit-text": (f"/job?limit={SECRET}", "limit", "int"),
    "cursor": (f"/job?cursor={SECRET}", "cursor", "X-Next-Cursor"),
    "cursor-empty": ("/job?cursor=", "cursor", "X-Next-Cursor"),
    "since-text": (f"/job?since={SECRET}", "since", "not a time such as"),
    "since-year": ("/job?since=2026", "since", "not a time such as"),
    "until-far": ("/job?until=99999-01-01", "until", "not a time such as"),
    "id": ("/job?id=x", "id", "UUID"),
    "batch": ("/job?batch=x", "batch", "UUID"),
    "schedule": ("/job?schedule=x", "schedule", "UUID"),
    "status": (f"/job?status={SECRET}", "status", "queued, started, finished, failed, cancelled"),
    "queue": ("/job?queue=x", "queue", "fifo or pinned_<host>"),
    "queue-host": ("/job?queue=pinned_", "queue", "not a host name"),
    "queue-and-host": ("/job?queue=pinned_a&host=b", "queue", "another host"),
    "host": ("/job?host=a%20b", "host", "not a host name"),
    "host-not-utf-8": ("/job?host=%ff", "host", "not a host name"),
    "host-bad-percent": ("/job?host=%zz", "host", "not a host name"),
    "host-worker": ("/worker?host=", "host", "not a host name"),
    "session-host": ("/session?host=a%20b", "host", "not a host name"),
    "session-limit": ("/session?limit=0", "limit", ">= 1"),
    "session-unknown": ("/session?hots=a", "hots", "did you mean 'host'?"),
    "batch-wait": (f"/batch/{uuid.uuid4()}?wait=1", "wait", "Known here: none"),
    "events-wait": (f"/job/{uuid.uuid4()}/events?wait=1", "wait", "Known here: none"),
    "wait-61": (f"/job/{uuid.uuid4()}?wait=61", "wait", "<= 60"),
    "wait-negative": (f"/job?id={uuid.uuid4()}&wait=-1", "wait", ">= 0"),
    "wait-nan": (f"/job/{uuid.uuid4()}?wait=nan", "wait", "0"),
    "wait-alone": ("/job?wait=1", "wait", "needs id"),
}
BAD_DELETES = {
    "nothing": ("/job", [], "one of id, queue, host and batch"),
    "force-only": ("/job?force=true", [], "one of id, queue, host and batch"),
    "host-empty": ("/job?host=", ["host"], "not a host name"),
    "force": (f"/job?id={uuid.uuid4()}&force=perhaps", ["force"], "bool"),
    "unknown": ("/job?bacth=1", ["bacth"], "did you mean 'batch'?"),
    "worker-nothing": ("/worker", [], "one of name, node, queue and host"),
    "worker-force-only": ("/worker?force=true", [], "one of name, node, queue and host"),
    "worker-host-and-node": ("/worker?host=a&node=b", ["host"], "goes alone"),
    "worker-host-and-force": ("/worker?host=a&force=true", ["host"], "goes alone"),
    "worker-host": ("/worker?host=a%20b", ["host"], "not a host name"),
    "not-a-filter": ("/job?status=queued", ["status"], "unknown query parameter"),
}
UNKNOWN_ADDRESSES = {
    "nothing": "/nothing/here",
    "root": "/",
    "key-in-path": f"/job/{KEY}",
    "below-docs": "/docs/nothing",
    "asset": "/docs/static/nothing.js",
    "upwards": "/docs/static/..%2f..%2f__init__.py",
    "bad-percent": "/%zz%00",
    "no-job": f"/job/{uuid.uuid4()}",
    "no-job-events": f"/job/{uuid.uuid4()}/events",
    "no-batch": f"/batch/{uuid.uuid4()}",
    "no-batch-events": f"/batch/{uuid.uuid4()}/events",
    "batch-not-an-id": "/batch/x",
    "no-job-listed": f"/job?id={uuid.uuid4()}",
}
OTHER_METHODS = {
    "get-execute": ("GET", "/device/execute", "OPTIONS, POST"),
    "put-job": ("PUT", "/job", "DELETE, GET, OPTIONS"),
    "post-worker": ("POST", "/worker", "DELETE, GET, OPTIONS"),
    "post-session": ("POST", "/session", "GET, OPTIONS"),
    "get-bulk": ("GET", "/device/bulk", "OPTIONS, POST"),
}


@pytest.mark.parametrize(("url", "name", "says"), BAD.values(), ids=BAD.keys())
def test_query(asking: httpx.Client, process: AsProcess, url: str, name: str, says: str) -> None:
    answer = asking.get(url)
    found = fault(answer)
    assert found["loc"] == ["query", name]
    assert says in found["msg"]
    assert answer.json()["message"].startswith(f"query.{name}: ")
    assert_log_discreet(process, answer)


@pytest.mark.parametrize(("url", "name", "says"), BAD_DELETES.values(), ids=BAD_DELETES.keys())
def test_delete(asking: httpx.Client, url: str, name: list[str], says: str) -> None:
    found = fault(asking.delete(url))
    assert found["loc"] == ["query", *name]
    assert says in found["msg"]


@pytest.mark.parametrize("query", ["wait=61", "wait=x", "waitt=1", "wait=1&wait=1"])
def test_execute_query(asking: httpx.Client, query: str) -> None:
    assert fault(asking.post(f"/device/execute?{query}", json=body()))["loc"][0] == "query"


@pytest.mark.parametrize("query", ["name=x", "node=x", "queue=w:1", "queue=fifo:x", "host=192.0.2.99"])
def test_no_such_worker(asking: httpx.Client, query: str) -> None:
    assert failure(asking.delete(f"/worker?{query}"), 404)["data"] is None


def test_no_wait_on_bulk(asking: httpx.Client) -> None:
    assert fault(asking.post("/device/bulk?wait=1", json=body(devices=[{"host": "a"}])))["loc"] == ["query", "wait"]


@pytest.mark.parametrize("key", ["", "x" * 256], ids=["empty", "long"])
def test_idempotency_key(asking: httpx.Client, key: str) -> None:
    answer = asking.post("/device/execute", json=body(), headers={"Idempotency-Key": key})
    assert fault(answer)["loc"] == ["header", "Idempotency-Key"]


@pytest.mark.parametrize("url", UNKNOWN_ADDRESSES.values(), ids=UNKNOWN_ADDRESSES.keys())
def test_unknown_address(asking: httpx.Client, url: str) -> None:
    assert failure(asking.get(url), 404)["data"] is None


def test_nothing_to_delete(asking: httpx.Client) -> None:
    failure(asking.delete(f"/job?id={uuid.uuid4()}"), 404)


@pytest.mark.parametrize(("method", "url", "allowed"), OTHER_METHODS.values(), ids=OTHER_METHODS.keys())
def test_method(asking: httpx.Client, method: str, url: str, allowed: str) -> None:
    answer = asking.request(method, url, json=body())
    failure(answer, 405)
    assert ", ".join(sorted(answer.headers["allow"].split(", "))) == allowed


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abc-1.2:3_4", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False), ("a\tb", False)],
    ids=["sane", "longest", "too-long", "space", "empty", "tab"],
)
def test_request_id(asking: httpx.Client, given: str, kept: bool) -> None:
    """On success as on failure."""
    for url in ("/health", "/nothing"):
        answered = asking.get(url, headers={"X-Request-ID": given}).headers["x-request-id"]
        assert answered == given if kept else len(answered) == 32


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\x01b",
        b"GET /job?host=" + b"x" * 500_000 + b" HTTP/1.1\r\nHost: x",
        b"POST /device/execute HTTP/1.1\r\nHost: x\r\nContent-Length: nan",
    ],
    ids=["control-character", "long-url", "content-length"],
)
def test_no_http(asking: httpx.Client, process: AsProcess, head: bytes) -> None:
    """uvicorn's own answer, before there is a request to speak of."""
    with socket.create_connection(("127.0.0.1", process.port)) as peer:
        peer.sendall(head + b"\r\n\r\n")
        assert peer.recv(30).startswith(b"HTTP/1.1 400 ")
    assert asking.get("/health").is_success
