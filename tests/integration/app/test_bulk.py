"""`POST /device/bulk`: what is queued, what fails alone, and what a lost PostgreSQL leaves."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from tests.integration.app.answers import failure, fault, success
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.serving import SECRET, body
from tests.integration.postgres.processes import await_true

Members = list[dict[str, Any]]


def hosts(count: int) -> Members:
    """So many devices."""
    return [{"host": f"10.0.{index // 250}.{index % 250}"} for index in range(count)]


def post(api: httpx.Client, devices: Any, key: str | None = None, **changes: Any) -> httpx.Response:
    """Send a bulk."""
    headers = {"Idempotency-Key": key} if key else {}
    return api.post("/device/bulk", json=body(devices=devices, **changes), headers=headers)


def rows(database: str) -> list[dict[str, Any]]:
    """The jobs in the database."""
    with psycopg.connect(database, row_factory=dict_row) as connection:
        return connection.execute("SELECT * FROM netpulse.job ORDER BY id").fetchall()


def test_answer(api: httpx.Client, database: str) -> None:
    with SqlWorker(database):
        data = success(post(api, [{"host": "A."}, {"host": "b", "port": 2222, "command": "show clock"}]), 201)
    first, second = rows(database)
    assert data["batch_id"] == str(first["batch_id"]) == str(second["batch_id"])
    assert [job["id"] for job in data["succeeded"]] == [str(first["id"]), str(second["id"])]
    assert [job["host"] for job in data["succeeded"]] == ["a", "b"]
    assert [(job["queue"], job["status"], job["index"]) for job in data["succeeded"]] == [
        ("pinned_a", "queued", 0),
        ("pinned_b", "queued", 1),
    ]
    assert (data["failed"], data["warnings"]) == ([], [])
    assert (first["device_key"], second["device_key"]) == ("a:22", "b:2222")
    assert [row["request"]["command"] for row in (first, second)] == [["show version"], ["show clock"]]
    assert {(row["expires_at"] - row["created_at"]).total_seconds() for row in (first, second)} == {600}
    assert SECRET not in str(first)


def test_bad_members_fail_alone(api: httpx.Client, database: str) -> None:
    bad = [{"host": "x y"}, "text", {"host": "c", "prt": 1}, {"host": "d", "command": []}, {"port": 22, "host": None}]
    data = success(post(api, [{"host": "a"}, *bad, {"host": "b"}]), 201)
    assert [(job["index"], job["host"]) for job in data["succeeded"]] == [(0, "a"), (6, "b")]
    assert [(item["index"], item["host"]) for item in data["failed"]] == [
        (1, "x y"),
        (2, None),
        (3, "c"),
        (4, "d"),
        (5, None),
    ]
    for item, says in zip(data["failed"], ["not a host", "JSON object", "'port'", "empty", "one of host"], strict=True):
        assert says in item["reason"]
    assert [row["host"] for row in rows(database)] == ["a", "b"]


def test_every_member_fails(api: httpx.Client, database: str) -> None:
    data = success(post(api, [{"host": "x y"}, {"port": 0}]))
    assert (data["batch_id"], data["succeeded"], len(data["failed"])) == (None, [], 2)
    assert rows(database) == []


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "empty": ({"devices": []}, ["devices"]),
    "absent": ({"devices": None}, ["devices"]),
    "not-a-list": ({"devices": "a"}, ["devices"]),
    "too-many": ({"devices": hosts(10_001)}, ["devices"]),
    "driver": ({"devices": hosts(1), "driver": "x"}, ["driver"]),
    "option": ({"devices": hosts(1), "options": {"retry": 99}}, ["options", "retry"]),
    "driver-args": ({"devices": hosts(1), "driver_args": {"x": 1}}, ["driver_args", "x"]),
    "unknown": ({"devices": hosts(1), "devics": 1}, ["devics"]),
}


@pytest.mark.parametrize(("changes", "place"), BAD.values(), ids=BAD.keys())
def test_a_fault_of_the_whole(asking: httpx.Client, changes: dict[str, Any], place: list[str]) -> None:
    assert fault(asking.post("/device/bulk", json=body(**changes)))["loc"] == place


def test_a_device_twice_keeps_the_order(api: httpx.Client, database: str) -> None:
    """Also with different logins, and across parts."""
    members = [
        {"host": "a", "username": f"user{index}", "command": f"show {index}"}
        if index % 5 == 0
        else {"host": f"h{index}"}
        for index in range(1200)
    ]
    data = success(post(api, members), 201)
    assert [job["index"] for job in data["succeeded"]] == list(range(1200))
    said = [row["request"]["command"][0] for row in rows(database) if row["host"] == "a"]
    assert said == [f"show {index}" for index in range(0, 1200, 5)]
    with psycopg.connect(database) as connection:
        queued = connection.execute(
            "SELECT j.request #>> '{command,0}' FROM procrastinate_jobs q JOIN netpulse.job j ON j.queue_job_id = q.id"
            " WHERE j.host = 'a' ORDER BY q.id"
        ).fetchall()
    assert [command for (command,) in queued] == said


def test_repeated_with_the_same_key(api: httpx.Client, database: str) -> None:
    first = success(post(api, [{"host": "a"}, {"host": "x y"}, {"host": "b"}], "k"), 201)
    again = success(post(api, [{"host": "a"}, {"host": "x y"}, {"host": "b"}], "k"))
    assert again == first
    assert len(rows(database)) == 2


CHANGED: dict[str, tuple[Members, dict[str, Any]]] = {
    "a-member-more": ([{"host": "x y"}, {"host": "b"}, {"host": "c"}], {}),
    "a-member-less": ([{"host": "x y"}], {}),
    "the-bad-member": ([{"host": "a"}, {"host": "b"}], {}),
    "another-order": ([{"host": "b"}, {"host": "x y"}], {}),
    "password": ([{"host": "x y"}, {"host": "b", "password": "another"}], {}),
    "command": ([{"host": "x y"}, {"host": "b"}], {"command": "show clock"}),
    "options": ([{"host": "x y"}, {"host": "b"}], {"options": {"priority": 1}}),
}


@pytest.mark.parametrize(("devices", "changes"), CHANGED.values(), ids=CHANGED.keys())
def test_the_key_with_another_body(api: httpx.Client, database: str, devices: Members, changes: dict[str, Any]) -> None:
    success(post(api, [{"host": "x y"}, {"host": "b"}], "k"), 201)
    before = rows(database)
    assert "another request" in failure(post(api, devices, "k", **changes), 409)["message"]
    assert rows(database) == before


def test_the_key_after_a_day(api: httpx.Client, database: str) -> None:
    """It is a new batch, also with another body, and yesterday's keeps its own jobs."""
    first = success(post(api, [{"host": "a"}], "k"), 201)
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE netpulse.job SET created_at = created_at - interval '25 hours'")
    second = success(post(api, [{"host": "b"}], "k"), 201)
    assert second["batch_id"] != first["batch_id"]
    assert success(post(api, [{"host": "b"}], "k"))["batch_id"] == second["batch_id"]
    assert success(api.get(f"/batch/{first['batch_id']}"))["total"] == 1


def test_two_at_once(api: httpx.Client, database: str) -> None:
    """The same bulk twice at a time: one set of jobs, one answer."""
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: post(api, hosts(1500), "k"), range(4)))
    batches = [answer.json()["data"] for answer in answers]
    assert max(answer.status_code for answer in answers) == 201
    assert all(
        [job["id"] for job in batch["succeeded"]] == [job["id"] for job in batches[0]["succeeded"]] for batch in batches
    )
    assert {batch["batch_id"] for batch in batches} == {str(row["batch_id"]) for row in rows(database)}
    assert len(rows(database)) == 1500


def test_two_bodies_at_once(api: httpx.Client, database: str) -> None:
    """Under one key: one is queued whole, of the other nothing."""
    sizes = {1200: hosts(1200), 1300: hosts(1300)}
    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip(sizes, pool.map(lambda devices: post(api, devices, "k"), sizes.values()), strict=True))
    [accepted] = [size for size, answer in answers.items() if answer.status_code == 201]
    [refused] = [answer for answer in answers.values() if answer.status_code != 201]
    failure(refused, 409)
    assert len(rows(database)) == accepted


@pytest.mark.parametrize("key", [None, "k"], ids=["no-key", "key"])
def test_postgresql_gone_after_the_first_part(api: httpx.Client, database: str, key: str | None) -> None:
    """The second part's connection is cut while it waits for a device that another transaction holds."""
    devices = hosts(2500)
    holds = "INSERT INTO netpulse.device (key, host, port, zone) VALUES (%s, %s, 22, 'default')"
    stuck = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as holder, SqlWorker(database) as other:
        holder.execute(holds, [f"{devices[1500]['host']}:22", devices[1500]["host"]])
        answer = pool.submit(post, api, devices, key)
        await_true(lambda: other.execute(stuck) != [], "the second part does not wait")
        other.execute(f"SELECT pg_terminate_backend(pid) FROM ({stuck}) AS stuck")  # noqa: S608 - the text above
        data = success(answer.result(30), 201)
    assert [job["index"] for job in data["succeeded"]] == list(range(1000))
    assert [item["index"] for item in data["failed"]] == list(range(1000, 2500))
    lost, unsent = data["failed"][:1000], data["failed"][1000:]
    hint = "same Idempotency-Key" if key else f"/job?batch={data['batch_id']}"
    assert all("not known whether" in item["reason"] and hint in item["reason"] for item in lost)
    assert all("was not accepted" in item["reason"] for item in unsent)
    if key:
        whole = success(post(api, devices, key), 201)
        assert (whole["batch_id"], len(whole["succeeded"]), whole["failed"]) == (data["batch_id"], 2500, [])
        assert whole["succeeded"][:1000] == [dict(job, status="queued") for job in data["succeeded"]]
        assert len(rows(database)) == 2500


def test_a_lost_first_part_is_an_outage(api: httpx.Client, database: str) -> None:
    stuck = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(database) as holder, SqlWorker(database) as other:
        holder.execute("LOCK TABLE netpulse.device")
        answer = pool.submit(post, api, hosts(1500))
        await_true(lambda: other.execute(stuck) != [], "it does not wait")
        other.execute(f"SELECT pg_terminate_backend(pid) FROM ({stuck}) AS stuck")  # noqa: S608 - the text above
        failure(answer.result(30), 503)
    assert rows(database) == []


def test_cancelled_by_batch(api: httpx.Client, database: str) -> None:
    """Those that run are aborted only with force; what has ended stays."""
    batch = success(post(api, hosts(5)), 201)["batch_id"]
    alone = success(api.post("/device/execute", json=body()), 201)["id"]
    with SqlWorker(database) as worker:
        running = [job for job in worker.claim() if str(job) != alone][:2]
        worker.finish(running[0])
        assert len(success(api.get("/job", params={"batch": batch}))) == 5
        cancelled = success(api.delete("/job", params={"batch": batch, "force": True}))
        assert str(running[0]) not in cancelled["cancelled_jobs"] + cancelled["aborting"]
        assert cancelled["cancelled_count"] + len(cancelled["aborting"]) == 4
        assert str(running[1]) in cancelled["aborting"]
    assert success(api.get(f"/job/{alone}"))["status"] != "cancelled"


def test_warnings_are_said_once(api: httpx.Client, database: str) -> None:
    with SqlWorker(database):
        data = success(
            post(api, [{"host": "a", "fast_cli": True}, {"host": "b", "fast_cli": True}, {"host": "c"}]), 201
        )
    assert [warning.split()[0] for warning in data["warnings"]] == ["connection_args.fast_cli"]
