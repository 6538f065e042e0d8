"""Detached tasks over HTTP, by a real worker, on a real SSH server."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.integration.app.answers import failure, fault, success
from tests.integration.app.hosting import Site, hosting
from tests.integration.app.queueing import SqlWorker
from tests.waiting import until

NOBODY = "01900000-0000-7000-8000-000000000000"
"""An id that no task has."""


@pytest.fixture(scope="module")
def site(postgres_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with hosting(postgres_url, template, tmp_path_factory.mktemp("site")) as site:
        yield site


def start(site: Site, command: str, **headers: str) -> dict[str, Any]:
    """A task that runs."""
    task: dict[str, Any] = success(
        site.http.post("/detached-task", json=site.body(command=command), headers=headers), 201
    )
    assert (task["error"], task["state"]) == (None, "running")
    return task


def seen(site: Site, task: dict[str, Any]) -> dict[str, Any]:
    """The task as it is now."""
    found: dict[str, Any] = success(site.http.get(f"/detached-task/{task['id']}?refresh=true"))
    return found


def log(site: Site, task: dict[str, Any], **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = success(site.http.get(f"/detached-task/{task['id']}/log", params=query))
    return found


@pytest.fixture
def gate(site: Site) -> Path:
    """A named pipe: a task that reads from it goes on when somebody writes to it."""
    path = site.home / f"gate-{uuid4().hex}"
    os.mkfifo(path)
    return path


def test_a_tasks_life(site: Site, gate: Path) -> None:
    task = start(site, f"echo begun; read line < {gate}; echo $line; exit 3")
    first = log(site, task, wait=20)
    assert (first["text"], first["next_offset"], first["state"]) == ("begun\n", 6, "running")
    assert log(site, task, offset=6)["text"] == ""
    gate.write_text("went on\n")
    rest = log(site, task, offset=6, wait=20)
    assert rest["text"] == "went on\n"
    ended = until(lambda: (now := seen(site, task))["ended_at"] and now, "it ends")
    assert (ended["state"], ended["exit_status"], ended["error"], ended["log_size"]) == ("exited", 3, None, 14)
    assert log(site, task, offset=0, size=3)["text"] == "beg"

    gone = success(site.http.delete(f"/detached-task/{task['id']}"))
    assert gone["state"] == "exited"
    failure(site.http.get(f"/detached-task/{task['id']}/log"), 409)
    assert not list(site.home.glob(f".netpulse/tasks/{task['id']}"))


def test_it_outlives_the_worker_and_its_end_is_noticed(site: Site, gate: Path) -> None:
    task = start(site, f"read line < {gate}")
    site.replace_worker()
    site.rows_changed("UPDATE netpulse.detached_task SET look_at = now()")
    gate.write_text("end\n")

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = success(site.http.get(f"/detached-task/{task['id']}"))
        return found if found["ended_at"] else None

    assert until(ended, "a chore looks")["state"] == "exited"


def test_stopping(site: Site) -> None:
    task = start(site, "sleep 4242 & sleep 4242")
    stopped = success(site.http.delete(f"/detached-task/{task['id']}"))
    assert (stopped["state"], stopped["error"]) == ("stopped", None)
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "4242"]]
    jobs = success(site.http.get("/job?host=127.0.0.1&limit=2"))
    assert {(job["operation"], job["queue"], job["status"]) for job in jobs} == {("task", "fifo", "finished")}


def test_raw_bytes(site: Site) -> None:
    task = start(site, r"printf 'a\377\000b'")
    until(lambda: seen(site, task)["ended_at"], "it ends")
    raw = site.http.get(f"/detached-task/{task['id']}/log?format=raw&offset=1")
    assert (raw.content, raw.headers["x-next-offset"]) == (b"\xff\0b", "4")
    assert log(site, task)["text"] == "a\ufffd\ufffdb"


def test_lists(site: Site) -> None:
    mine = [start(site, "true")["id"] for _ in range(2)]
    page = site.http.get("/detached-task?host=127.0.0.1&limit=1")
    assert [task["id"] for task in success(page)] == mine[1:]
    following = site.http.get("/detached-task", params={"limit": 1, "cursor": page.headers["x-next-cursor"]})
    assert [task["id"] for task in success(following)] == mine[:1]
    assert success(site.http.get("/detached-task?state=failed")) == []
    assert success(site.http.get("/detached-task?host=192.0.2.99")) == []


def test_the_same_key_starts_nothing(site: Site) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    first = start(site, "true", **key)
    again = success(site.http.post("/detached-task", json=site.body(command="true"), headers=key), 200)
    assert (again["id"], again["job_id"]) == (first["id"], first["job_id"])
    failure(site.http.post("/detached-task", json=site.body(command="false"), headers=key), 409)


def test_a_host_that_cannot_be_asked(site: Site, gate: Path) -> None:
    task = start(site, f"read line < {gate}")
    keys = site.host.folder / "authorized_keys"
    accepted = keys.read_text()
    keys.write_text("")
    try:
        answer = site.http.get(f"/detached-task/{task['id']}/log")
        assert answer.headers["retry-after"]
        assert "refused" in failure(answer, 503)["message"]
        assert seen(site, task)["error"].startswith("AuthenticationFailed")
        failure(site.http.delete(f"/detached-task/{task['id']}"), 503)
        lost = success(site.http.delete(f"/detached-task/{task['id']}?force=true"))
    finally:
        keys.write_text(accepted)
        site.rows_changed("DELETE FROM netpulse.circuit")
        gate.write_text("end\n")
    assert lost["state"] == "lost"
    assert site.rows("SELECT FROM netpulse.detached_task WHERE state = 'lost' AND sealed IS NOT NULL") == []


def test_a_start_that_fails(site: Site) -> None:
    body = site.body(command="true")
    body["connection_args"] |= {"port": 1}
    task = success(site.http.post("/detached-task", json=body), 201)
    assert (task["state"], task["error"].partition(":")[0]) == ("failed", "Unreachable")


# ── without a worker ──

LOGIN = {"host": "192.0.2.1", "username": "admin", "password": "x"}
TASK: dict[str, Any] = {"driver": "paramiko", "connection_args": LOGIN, "command": "true"}


def test_one_that_waits_is_called_off(api: httpx.Client) -> None:
    task = success(api.post("/detached-task?wait=0", json=TASK), 201)
    assert (task["state"], success(api.get(f"/detached-task/{task['id']}?refresh=1"))["state"]) == ("starting",) * 2
    failure(api.get(f"/detached-task/{task['id']}/log"), 409)
    assert success(api.delete(f"/detached-task/{task['id']}"))["state"] == "failed"
    assert success(api.get(f"/job/{task['job_id']}"))["status"] == "cancelled"
    [event] = success(api.get("/audit", params={"action": "DELETE /detached-task/{task_id}"}))
    assert (event["host"], event["subject"], event["job_id"]) == (LOGIN["host"], task["id"], task["job_id"])


def test_one_that_is_being_started_is_not(api: httpx.Client, database: str) -> None:
    task = success(api.post("/detached-task?wait=0", json=TASK), 201)
    with SqlWorker(database) as worker:
        assert [str(job) for job in worker.claim()] == [task["job_id"]]
        failure(api.delete(f"/detached-task/{task['id']}"), 409)


# ── what is refused ──


@pytest.mark.parametrize(
    ("changes", "loc"),
    [
        ({"command": ["a", "b"]}, ["command"]),
        ({"command": None, "config": "a"}, ["command"]),
        ({"options": {"queue_strategy": "pinned"}}, ["options", "queue_strategy"]),
        ({"driver": "netmiko", "connection_args": LOGIN | {"device_type": "cisco_ios"}}, ["driver"]),
        ({"options": {"dry_run": True}}, ["options", "dry_run"]),
        (
            {"command": None, "driver_args": {"file_transfer": {"operation": "download", "remote_path": "/x"}}},
            ["command"],
        ),
    ],
)
def test_bad_tasks(asking: httpx.Client, changes: dict[str, Any], loc: list[str]) -> None:
    assert fault(asking.post("/detached-task", json=TASK | changes))["loc"] == loc


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/detached-task/{NOBODY}", 404),
        (f"/detached-task/{NOBODY}/log", 404),
        (f"/detached-task/{NOBODY}/log?offset=-1", 400),
        (f"/detached-task/{NOBODY}/log?size=0", 400),
        (f"/detached-task/{NOBODY}/log?size=2000000", 400),
        (f"/detached-task/{NOBODY}/log?wait=61", 400),
        (f"/detached-task/{NOBODY}/log?format=xml", 400),
        ("/detached-task?state=sleeping", 400),
        ("/detached-task?cursor=x", 400),
    ],
)
def test_bad_questions(asking: httpx.Client, path: str, status: int) -> None:
    failure(asking.get(path), status)


def test_keys_are_needed(asking: httpx.Client) -> None:
    with httpx.Client(base_url=asking.base_url) as stranger:
        for method, path in [("POST", ""), ("GET", ""), ("GET", f"/{NOBODY}"), ("DELETE", f"/{NOBODY}")]:
            assert stranger.request(method, f"/detached-task{path}").status_code == 403
