"""PostgreSQL away, too busy, or broken; a bug of ours."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from app import migrations
from app.postgres import EmbeddedPostgres
from tests.integration.app.answers import failure, success
from tests.integration.app.serving import SECRET, as_process, body, client, in_thread
from tests.integration.postgres.processes import await_true
from tests.postgres import open_directory

EVERY = {
    "execute": ("POST", "/device/execute"),
    "jobs": ("GET", "/job"),
    "job": ("GET", "/job/00000000-0000-0000-0000-000000000000?wait=1"),
    "cancel": ("DELETE", "/job?host=a"),
    "bulk": ("POST", "/device/bulk"),
    "job-events": ("GET", "/job/00000000-0000-0000-0000-000000000000/events"),
    "batch": ("GET", "/batch/00000000-0000-0000-0000-000000000000"),
    "batch-events": ("GET", "/batch/00000000-0000-0000-0000-000000000000/events"),
    "stop": ("DELETE", "/worker?node=a"),
    "release": ("DELETE", "/worker?host=a"),
    "sessions": ("GET", "/session"),
    "workers": ("GET", "/worker"),
    "ready": ("GET", "/health/ready"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A migrated server of this module's own, to be stopped and started."""
    with open_directory() as directory, EmbeddedPostgres(directory / "data", durable=False) as server:
        migrations.upgrade(server.url("postgres"))
        yield server


def away(answer: httpx.Response) -> None:
    """It is a 503 that says when to come again."""
    assert "PostgreSQL is out of reach" in failure(answer, 503)["message"]
    assert int(answer.headers["retry-after"]) > 0


def test_away_and_back(server: EmbeddedPostgres) -> None:
    with in_thread(server.url("postgres")) as (_, api):
        first = success(api.post("/device/execute", json=body()), 201)["id"]
        server.stop()
        for method, url in EVERY.values():
            devices = {"devices": [{"host": "192.0.2.1"}]} if "bulk" in url else {}
            away(api.request(method, url, json=body(**devices)))
        assert success(api.get("/health/live")) == "ok"
        server.start()
        assert [job["id"] for job in success(api.get("/job"))] == [first]
        success(api.post("/device/execute", json=body()), 201)
        assert success(api.get("/health/ready")) == "ok"


def test_a_restart_that_nobody_noticed(server: EmbeddedPostgres) -> None:
    """The pooled connections are dead, and no request may pay for that."""
    with in_thread(server.url("postgres")) as (_, api):
        success(api.get("/job"))
        server.stop()
        server.start()
        success(api.post("/device/execute", json=body()), 201)


def test_away_at_the_start(server: EmbeddedPostgres) -> None:
    server.stop()
    with in_thread(server.url("postgres")) as (_, api):
        away(api.get("/job"))
        server.start()
        success(api.get("/job"))


def test_away_while_a_client_waits_for_what_it_submitted(server: EmbeddedPostgres) -> None:
    """The job is accepted: the answer must have its id."""
    with in_thread(server.url("postgres")) as (served, api), ThreadPoolExecutor(1) as pool:
        answer = pool.submit(api.post, "/device/execute?wait=60", json=body())
        await_true(lambda: served.services.waiters.waiting == 1, "it does not wait")
        server.stop()
        data = success(answer.result(30), 201)
        server.start()
        assert data["status"] == "queued"
        assert success(api.get(f"/job/{data['id']}"))["status"] == "queued"


def test_no_connection_left(database: str) -> None:
    with (
        in_thread(database, database_connections=1) as (_, api),
        ThreadPoolExecutor(1) as pool,
        psycopg.connect(database) as locking,
    ):
        locking.execute("LOCK TABLE netpulse.job")
        stuck = pool.submit(api.get, "/job")
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        with psycopg.connect(database, autocommit=True) as asking:
            await_true(lambda: asking.execute(asked).fetchone() == (1,), "it is not stuck")
        away(api.get("/worker"))
        locking.rollback()
        success(stuck.result(30))
        success(api.get("/worker"))


def test_a_bug(database: str, tmp_path: Path) -> None:
    with as_process(database, tmp_path / "log") as process, client(process.url) as api:
        with psycopg.connect(database) as breaking:
            breaking.execute("DROP FUNCTION netpulse.submit_jobs")
        answer = api.post("/device/execute", json=body(), headers={"X-Request-ID": "the-bug"})
        assert failure(answer, 500)["message"].startswith("Internal error; the X-Request-ID")
        await_true(lambda: '"status": 500, "ms"' in process.log(), "it is not logged")
        lines = [json.loads(line) for line in process.log().splitlines()]
        [line] = [line for line in lines if line["event"] == "request.failed"]
        assert (line["request"], line["status"], line["path"]) == ("the-bug", 500, "/device/execute")
        assert line["trace"][0] == "ProgrammingError"
        assert any("jobs/submit.py" in place for place in line["trace"])
        for text in ("does not exist", SECRET, "show version"):
            assert text not in process.log()
