"""A key that is for some devices: what is of others is not there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from tests.integration.app.answers import failure, success
from tests.integration.app.keyring import coming_with, make_key
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.serving import body, connection
from tests.integration.app.streaming import await_event, events
from tests.integration.app.test_jobs import ids, submit

MINE, OTHERS = "192.0.2.1", "198.51.100.1"
NET = ["192.0.2.0/24", "*.hq.example"]
FILE = """
    INSERT INTO netpulse.stored_file (id, job_id, direction, name, state, sha256, expires_at)
    VALUES (%(id)s, %(job)s, 'download', 'f', 'whole', '0', now() + interval '1 day')"""
TASK = """
    INSERT INTO netpulse.detached_task
           (id, driver, device_key, host, port, zone, job_id, request, command, submitted_by)
    VALUES (%(id)s, 'paramiko', %(host)s || ':22', %(host)s, 22, 'default', %(job)s, '{}', 'sleep', 'tests')"""
HOST_KEY = """
    INSERT INTO netpulse.host_key (address, kind, fingerprint, source)
    VALUES (%(host)s || ':22', 'x509', 'f', 'entered')"""
CIRCUIT = """
    INSERT INTO netpulse.circuit (device_key, login, failures, last_failure_at)
    VALUES (%(host)s || ':22', 'l', 1, now())"""
SESSION = """
    INSERT INTO netpulse.session (id, worker_id, device_key, host, driver, opened_at)
    VALUES (%(id)s, %(worker)s, %(host)s || ':22', %(host)s, 'netmiko', now())"""


@dataclass
class Limited:
    """A client whose key is for NET, one whose key is for all, and the jobs of a batch on two devices."""

    http: httpx.Client
    admin: httpx.Client
    url: str
    worker: SqlWorker
    batch: str
    jobs: dict[str, str]

    def insert(self, statement: str, **values: Any) -> dict[str, str]:
        """A row for either device; its id by host."""
        made = {host: str(uuid4()) for host in self.jobs}
        with psycopg.connect(self.url) as connection:
            for host, row_id in made.items():
                row = {"id": row_id, "host": host, "job": self.jobs[host], "worker": self.worker.id, **values}
                connection.execute(statement.encode(), row)
        return made


@pytest.fixture
def limited(api: httpx.Client, database: str) -> Iterator[Limited]:
    """With a batch of a job on either device, both queued."""
    devices = {"devices": [{"host": MINE}, {"host": OTHERS}]}
    made = success(api.post("/device/bulk", json=body(**devices)), 201)
    jobs = {job["host"]: job["id"] for job in made["succeeded"]}
    key = make_key(api, "limited", "read", "query", "config", hosts=NET)
    with SqlWorker(database) as worker, coming_with(api.base_url, key) as client:
        yield Limited(client, api, database, worker, made["batch_id"], jobs)


def test_jobs(limited: Limited) -> None:
    assert ids(limited.http) == [limited.jobs[MINE]]
    assert ids(limited.http, host=OTHERS) == []
    assert success(limited.http.get(f"/job/{limited.jobs[MINE]}"))["device_name"] == MINE
    hidden, missing = limited.jobs[OTHERS], str(UUID(int=0))
    for path in ("/job/{}", "/job/{}?wait=1", "/job?id={}", "/job?id={}&wait=1", "/job/{}/events"):
        said = [failure(limited.http.get(path.format(job)), 404)["message"] for job in (hidden, missing)]
        assert said[0].replace(hidden, missing) == said[1]


def test_pages_are_full(limited: Limited) -> None:
    for number in range(5):
        for host in (OTHERS, f"r{number}.hq.example", OTHERS):
            submit(limited.admin, host)
    seen, cursor = [], None
    while True:
        answer = limited.http.get("/job", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        seen += [job["device_name"] for job in success(answer)]
        cursor = answer.headers.get("x-next-cursor")
        if cursor is None:
            break
        assert len(seen) % 2 == 0
    assert seen == [*(f"r{number}.hq.example" for number in range(4, -1, -1)), MINE]


def test_submitting(limited: Limited) -> None:
    assert submit(limited.http, "r1.hq.example")
    answer = limited.http.post("/device/execute", json=body(connection_args=connection(host=OTHERS)))
    assert failure(answer, 403)["message"] == f"The key 'limited' is not for the device {OTHERS}."
    made = success(limited.http.post("/device/bulk", json=body(devices=[{"host": MINE}, {"host": OTHERS}])), 201)
    assert [job["host"] for job in made["succeeded"]] == [MINE]
    assert [failed["host"] for failed in made["failed"]] == [OTHERS]


CANCEL = {
    "batch": lambda limited: {"batch": limited.batch},
    "queue": lambda limited: {"queue": f"pinned_{MINE}"},
    "host": lambda limited: {"host": MINE},
    "id": lambda limited: {"id": limited.jobs[MINE]},
}


@pytest.mark.parametrize("query", CANCEL.values(), ids=CANCEL.keys())
def test_cancelling(limited: Limited, query: Any) -> None:
    done = success(limited.http.delete("/job", params=query(limited)))
    assert done["cancelled_jobs"] == [limited.jobs[MINE]]
    assert success(limited.admin.get(f"/job/{limited.jobs[OTHERS]}"))["status"] == "queued"


def test_cancelling_what_is_not_there(limited: Limited) -> None:
    failure(limited.http.delete("/job", params={"id": limited.jobs[OTHERS]}), 404)
    assert success(limited.http.delete("/job", params={"host": OTHERS}))["cancelled_count"] == 0
    assert success(limited.admin.get(f"/job/{limited.jobs[OTHERS]}"))["status"] == "queued"


def test_aborting(limited: Limited) -> None:
    assert len(limited.worker.claim()) == 2
    done = success(limited.http.delete("/job", params={"batch": limited.batch, "force": True}))
    assert (done["cancelled_jobs"], done["aborting"]) == ([], [limited.jobs[MINE]])
    asked = limited.worker.execute("SELECT host FROM netpulse.job WHERE cancel_requested")
    assert asked == [(MINE,)]


def test_without_config_only_queries_are_cancelled(limited: Limited) -> None:
    change = submit(limited.admin, MINE, command=None, config=["hostname x"])
    with coming_with(limited.admin.base_url, make_key(limited.admin, "asker", "query")) as asker:
        refused = failure(asker.delete("/job", params={"id": change}), 403)
        assert refused["message"] == "The key 'asker' lacks the scope config."
        done = success(asker.delete("/job", params={"host": MINE}))
        assert done["cancelled_jobs"] == [limited.jobs[MINE]]
    assert success(limited.http.delete("/job", params={"id": change}))["cancelled_jobs"] == [change]


def test_batch(limited: Limited) -> None:
    path = f"/batch/{limited.batch}"
    assert success(limited.admin.get(path))["total"] == 2
    assert success(limited.http.get(path))["total"] == 1
    with coming_with(limited.admin.base_url, make_key(limited.admin, "else", "read", hosts=["r9"])) as client:
        failure(client.get(path), 404)
        failure(client.get(f"{path}/events"), 404)


def test_batch_events(limited: Limited) -> None:
    """Who sees one of its jobs, and who sees both, at the same time."""
    path = f"/batch/{limited.batch}/events"
    with limited.http.stream("GET", path) as mine, limited.admin.stream("GET", path) as whole:
        of_mine, of_whole = events(mine), events(whole)
        await_event(of_mine, "progress", total=1, queued=1)
        await_event(of_whole, "progress", total=2, queued=2)
        success(limited.admin.delete("/job", params={"host": MINE}))
        await_event(of_mine, "end", total=1, cancelled=1)
        await_event(of_whole, "progress", total=2, cancelled=1)


def test_files(limited: Limited) -> None:
    files = limited.insert(FILE)
    assert limited.http.get(f"/storage/{files[MINE]}").status_code == 200
    for method in ("GET", "DELETE"):
        failure(limited.http.request(method, f"/storage/{files[OTHERS]}"), 404)
    for client, host in ((limited.http, MINE), (limited.admin, OTHERS)):
        success(client.delete(f"/storage/{files[host]}"))


def test_detached_tasks(limited: Limited) -> None:
    tasks = limited.insert(TASK)
    assert [task["device_name"] for task in success(limited.http.get("/detached-task"))] == [MINE]
    success(limited.http.get(f"/detached-task/{tasks[MINE]}"))
    for method, path in (("GET", ""), ("GET", "/log"), ("DELETE", "")):
        failure(limited.http.request(method, f"/detached-task/{tasks[OTHERS]}{path}"), 404)


LISTS = {"/host-key": HOST_KEY, "/circuit": CIRCUIT, "/session": SESSION}


@pytest.mark.parametrize(("path", "statement"), LISTS.items(), ids=LISTS.keys())
def test_lists(limited: Limited, path: str, statement: str) -> None:
    limited.insert(statement)
    assert sorted(row["host"] for row in success(limited.admin.get(path))) == [MINE, OTHERS]
    assert [row["host"] for row in success(limited.http.get(path))] == [MINE]
    assert success(limited.http.get(path, params={"host": OTHERS})) == []


def test_workers(limited: Limited) -> None:
    limited.worker.claim()
    assert len(success(limited.admin.get("/worker", params={"host": OTHERS}))) == 1
    assert success(limited.http.get("/worker", params={"host": OTHERS})) == []
    assert len(success(limited.http.get("/worker", params={"host": MINE}))) == 1


def test_confirming(limited: Limited) -> None:
    failure(limited.http.post(f"/job/{limited.jobs[OTHERS]}/confirm"), 404)
    failure(limited.admin.post(f"/job/{limited.jobs[OTHERS]}/confirm"), 409)
    failure(limited.http.post(f"/job/{limited.jobs[MINE]}/confirm"), 409)


def test_a_limited_admin(limited: Limited) -> None:
    limited.insert(HOST_KEY)
    limited.insert(CIRCUIT)
    limited.worker.claim()
    with coming_with(limited.admin.base_url, make_key(limited.admin, "chief", "admin", hosts=NET)) as chief:
        for path in ("/host-key", "/circuit"):
            failure(chief.delete(path, params={"host": OTHERS}), 403)
            assert success(chief.delete(path, params={"host": MINE}))["cleared_count"] == 1
        entry = {"host": OTHERS, "kind": "x509", "fingerprint": "SHA256:" + "A" * 43}
        failure(chief.post("/host-key", json=entry), 403)
        failure(chief.delete("/worker", params={"host": OTHERS}), 404)
        success(chief.delete("/worker", params={"host": MINE}))
