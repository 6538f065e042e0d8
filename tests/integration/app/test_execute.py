"""`POST /device/execute`: what is accepted, and what is kept of it."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from jobs.seal import Seal
from tests.integration.app.answers import failure, success
from tests.integration.app.serving import KEY, SEAL_KEY, SECRET, body, connection


def rows(database: str) -> list[dict[str, Any]]:
    """All jobs, oldest first."""
    with psycopg.connect(database, row_factory=dict_row) as asking:
        return asking.execute("SELECT * FROM netpulse.job ORDER BY id").fetchall()


@pytest.mark.parametrize("path", ["/device/execute", "/device/exec"])
def test_answer(api: httpx.Client, database: str, path: str) -> None:
    data = success(api.post(path, json=body()), 201)
    [row] = rows(database)
    assert list(data) == ["id", "status", "queue", "created_at", "warnings"]
    assert uuid.UUID(data["id"]) == row["id"]
    assert (data["status"], data["queue"]) == ("queued", "pinned_192.0.2.1")
    assert datetime.fromisoformat(data["created_at"]) == row["created_at"]
    assert data["created_at"].endswith("Z")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"command": "show version"}, ["show version"]),
        ({"command": ["show version", "show clock"]}, ["show version", "show clock"]),
        ({"command": None, "config": "interface x\r\n\n no shutdown\n"}, ["interface x", " no shutdown"]),
        ({"command": None, "config": ["interface x", " no shutdown"]}, ["interface x", " no shutdown"]),
        ({"config": None, "command": "show run | include été"}, ["show run | include été"]),
    ],
    ids=["command", "commands", "config-text", "config-lines", "not-ascii"],
)
def test_operation(api: httpx.Client, given: dict[str, Any], kept: list[str]) -> None:
    operation, other = ("config", "command") if given.get("config") else ("command", "config")
    id_ = success(api.post("/device/execute", json=body(**given)), 201)["id"]
    job = success(api.get(f"/job/{id_}"))
    assert (job[operation], job[other]) == (kept, None)


OPTIONS = {"queue_strategy": "fifo", "ttl": 12.5, "execution_timeout": 7, "priority": -3, "retry": 2}


@pytest.mark.parametrize(
    "given",
    [{"options": OPTIONS}, OPTIONS, {"options": OPTIONS, "ttl": 12.5}, {"options": {"ttl": 12.5}, **OPTIONS}],
    ids=["options", "top-level", "both-alike", "both-parts"],
)
def test_options(api: httpx.Client, database: str, given: dict[str, Any]) -> None:
    assert success(api.post("/device/execute", json=body(**given)), 201)["queue"] == "fifo"
    [row] = rows(database)
    assert (row["strategy"], row["priority"], row["max_attempts"]) == ("fifo", -3, 3)
    assert row["execution_timeout_s"] == 7
    assert (row["expires_at"] - row["created_at"]).total_seconds() == 12.5
    assert row["request"]["options"] == OPTIONS


def test_defaults(api: httpx.Client, database: str) -> None:
    success(api.post("/device/execute", json=body()), 201)
    [row] = rows(database)
    assert (row["strategy"], row["priority"], row["max_attempts"]) == ("pinned", 0, 1)
    assert ((row["expires_at"] - row["created_at"]).total_seconds(), row["execution_timeout_s"]) == (300, 300)
    assert (row["device_key"], row["submitted_by"]) == ("192.0.2.1:22", "admin")


@pytest.mark.parametrize("wait", [0, 0.001], ids=["at-once", "waiting"])
def test_warnings(api: httpx.Client, wait: float) -> None:
    given = body(connection_args=connection(fast_cli=True), driver_args={"delay_factor": 2})
    warnings = success(api.post(f"/device/execute?wait={wait}", json=given), 201)["warnings"]
    first = [warning.split()[0] for warning in warnings]
    assert first == ["connection_args.fast_cli", "driver_args.delay_factor", "No"]  # worker serves the zone


def test_secrets_are_sealed(api: httpx.Client, database: str) -> None:
    given = body(connection_args=connection(secret=SECRET + "2"))
    success(api.post("/device/execute", json=given, headers={"Idempotency-Key": "1"}), 201)
    [row] = rows(database)
    assert row["request"]["connection_args"] | {"password": "***", "secret": "***"} == row["request"]["connection_args"]
    assert SECRET.encode() not in row["sealed"]
    assert SECRET in Seal([SEAL_KEY]).open(row["sealed"])
    dump = whole_database(database)
    assert "show version" in dump
    assert SECRET not in dump
    assert KEY not in dump


def whole_database(database: str) -> str:
    """Every row of every table of ours, as text."""
    with psycopg.connect(database) as asking:
        tables = asking.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('netpulse', 'public')"
        ).fetchall()
        select = sql.SQL("SELECT t::text FROM {} AS t")
        return "".join(str(asking.execute(select.format(sql.Identifier(*name))).fetchall()) for name in tables)


@pytest.mark.parametrize("spelling", ["ROUTER.example.", "router.example"], ids=["other-spelling", "same"])
def test_one_device_has_one_name(api: httpx.Client, spelling: str) -> None:
    queue = success(api.post("/device/execute", json=body(connection_args=connection(host=spelling))), 201)["queue"]
    assert queue == "pinned_router.example"
    for query in ({"host": "Router.Example"}, {"queue": "pinned_ROUTER.example"}):
        assert len(success(api.get("/job", params=query))) == 1


class TestIdempotency:
    """The same key twice."""

    KEY = {"Idempotency-Key": "once"}  # noqa: RUF012 - never changed

    def test_same_body(self, api: httpx.Client, database: str) -> None:
        first = success(api.post("/device/execute", json=body(), headers=self.KEY), 201)
        reordered = dict(reversed(body().items()))
        again = success(api.post("/device/exec", json=reordered, headers=self.KEY), 200)
        assert again == first
        assert len(rows(database)) == 1

    @pytest.mark.parametrize(
        "other",
        [
            body(command="show clock"),
            body(connection_args=connection(password=SECRET + "x")),
            body(connection_args=connection(host="192.0.2.2")),
            body(ttl=1),
        ],
        ids=["command", "password", "host", "option"],
    )
    def test_other_body(self, api: httpx.Client, database: str, other: dict[str, Any]) -> None:
        success(api.post("/device/execute", json=body(), headers=self.KEY), 201)
        answer = api.post("/device/execute", json=other, headers=self.KEY)
        assert "Idempotency-Key" in failure(answer, 409)["message"]
        assert len(rows(database)) == 1

    def test_other_key(self, api: httpx.Client, database: str) -> None:
        for key in ("a", "b"):
            success(api.post("/device/execute", json=body(), headers={"Idempotency-Key": key}), 201)
        assert len(rows(database)) == 2

    def test_after_a_day(self, api: httpx.Client, database: str) -> None:
        first = success(api.post("/device/execute", json=body(), headers=self.KEY), 201)
        with psycopg.connect(database) as asking:
            asking.execute("UPDATE netpulse.job SET created_at = created_at - interval '24 hours 1 second'")
        assert success(api.post("/device/execute", json=body(), headers=self.KEY), 201)["id"] != first["id"]

    def test_at_once(self, api: httpx.Client, database: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            sent = [pool.submit(api.post, "/device/execute", json=body(), headers=self.KEY) for _ in range(24)]
        answers = [future.result() for future in sent]
        assert sorted(answer.status_code for answer in answers) == [200] * 23 + [201]
        assert len({answer.json()["data"]["id"] for answer in answers}) == 1
        assert len(rows(database)) == 1

    def test_created_is_utc(self, api: httpx.Client) -> None:
        created = success(api.post("/device/execute", json=body()), 201)["created_at"]
        assert abs((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds()) < 60
