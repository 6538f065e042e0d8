"""Who asked for what: what is on record of requests, and reading it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from app.refusals import BATCH, MOST_NAMELESS, Refusals
from app.services import database_engine
from jobs.audit import AuditEvent, AuditFilter, find_events
from jobs.seal import Seal
from tests.integration.app.answers import failure, fault, success
from tests.integration.app.serving import NAME, SEAL_KEY, SECRET, InThread, in_thread
from tests.waiting import until, until_async

Rows = list[dict[str, Any]]
Served = tuple[InThread, httpx.Client]


def events(api: httpx.Client, **query: Any) -> Rows:
    """What GET /audit says."""
    rows: Rows = success(api.get("/audit", params=query))
    return rows


def awaited(api: httpx.Client, **query: Any) -> dict[str, Any]:
    """The newest event, once there is one."""
    return until(lambda: events(api, **query), f"an event {query}")[0]


def without_trail(url: str) -> None:
    """From now on nothing can be recorded."""
    with psycopg.connect(url) as connection:
        connection.execute("ALTER FUNCTION netpulse.record_audit_events RENAME TO gone")


def with_trail(url: str) -> None:
    """It can be again."""
    with psycopg.connect(url) as connection:
        connection.execute("ALTER FUNCTION netpulse.gone RENAME TO record_audit_events")


def stored_file(url: str, size_bytes: int) -> str:
    """Id of a file that was brought from a device, of so many zeros."""
    file_id = str(uuid4())
    values = {"id": file_id, "size": size_bytes, "data": Seal([SEAL_KEY]).seal_bytes(bytes(size_bytes))}
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO netpulse.stored_file (id, direction, name, size_bytes, sha256, state) "
            "VALUES (%(id)s, 'download', 'a.bin', %(size)s, 'none', 'whole')",
            values,
        )
        connection.execute("INSERT INTO netpulse.file_piece VALUES (%(id)s, 0, %(data)s)", values)
    return file_id


# ── what is recorded ──


def test_what_was_carried_out(api: httpx.Client) -> None:
    answer = api.delete("/host-key", params={"host": "R1.example"})
    success(answer)
    [event] = events(api)
    at = datetime.fromisoformat(event.pop("at"))
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
    assert event == {
        "id": event["id"],
        "actor": "admin",
        "client": "127.0.0.1",
        "request_id": answer.headers["x-request-id"],
        "action": "DELETE /host-key",
        "host": "r1.example",
        "subject": None,
        "allowed": True,
        "reason": None,
        "job_id": None,
        "batch_id": None,
        "detail": None,
    }


def test_what_was_done_to_which_key(api: httpx.Client) -> None:
    success(api.post("/key", json={"name": "ops", "scopes": ["read"], "hosts": ["core*"]}), 201)
    success(api.post("/key/ops/rotate", json={}))
    success(api.delete("/key/ops"))
    revoked, replaced, made = events(api)
    assert [event["subject"] for event in (revoked, replaced, made)] == ["ops"] * 3
    assert made["detail"] == {"scopes": ["read"], "hosts": ["core*"]}


def test_which_template_was_stored(api: httpx.Client) -> None:
    success(api.post("/template/jinja2/hq/ntp", json={"template": "a"}))
    success(api.delete("/template/jinja2/hq/ntp"))
    assert [event["subject"] for event in events(api)] == ["jinja2/hq/ntp"] * 2


def test_the_clients_own_request_id_finds_it(api: httpx.Client) -> None:
    success(api.delete("/circuit?host=a", headers={"X-Request-ID": "mine-7"}))
    success(api.delete("/circuit?host=b"))
    [event] = events(api, request_id="mine-7")
    assert (event["action"], event["host"]) == ("DELETE /circuit", "a")


def test_the_action_is_the_route_and_no_path_is_kept(api: httpx.Client, database: str) -> None:
    httpx.get(f"{api.base_url}/job/{uuid4()}?{NAME}=wrong-{SECRET}")
    assert awaited(api)["action"] == "GET /job/{job_id}"
    httpx.get(f"{api.base_url}/template/jinja2/{SECRET}")
    until(lambda: len(events(api)) == 2, "the second refusal")
    assert events(api)[0]["action"] == "GET /template/{kind}/{name}"
    with psycopg.connect(database) as connection:
        text = str(connection.execute("SELECT a::text FROM netpulse.audit_event AS a").fetchall())
    assert SECRET not in text
    assert "wrong" not in text


READS = ["/job", "/worker", "/health", "/host-key", "/audit"]
NOT_CARRIED_OUT = {
    "bad-body": ("POST", "/device/execute", 415),
    "bad-query": ("DELETE", "/job", 400),
    "not-found": ("DELETE", "/job?id=00000000-0000-0000-0000-000000000000", 404),
    "no-route": ("POST", "/nothing", 404),
    "no-method": ("PATCH", "/job", 405),
}


def test_reading_is_not_recorded(api: httpx.Client) -> None:
    for url in READS:
        success(api.get(url))
    assert events(api) == []


@pytest.mark.parametrize(("method", "url", "status"), NOT_CARRIED_OUT.values(), ids=NOT_CARRIED_OUT.keys())
def test_what_was_not_carried_out_is_not_recorded(api: httpx.Client, method: str, url: str, status: int) -> None:
    failure(api.request(method, url), status)
    assert events(api) == []


def test_public_routes_are_not_recorded(api: httpx.Client) -> None:
    for url in ("/health/live", "/docs", "/docs/openapi.json"):
        assert api.get(url).status_code == 200
    assert events(api) == []


def test_reading_is_recorded_where_the_site_wants_it(database: str) -> None:
    with in_thread(database, audit_reads=True) as (_, api):
        for url in READS[:-1]:
            success(api.get(url))
        failure(api.get(f"/job/{uuid4()}"), 404)
        assert [event["action"] for event in reversed(events(api))] == [f"GET {url}" for url in READS[:-1]]


# ── refusals ──


def test_a_refusal_says_why(api: httpx.Client) -> None:
    answer = httpx.get(f"{api.base_url}/job", headers={NAME: "wrong", "X-Request-ID": "r-9"})
    message = failure(answer, 403)["message"]
    event = awaited(api, allowed=False)
    assert (event["actor"], event["client"], event["reason"]) == (None, "127.0.0.1", message)
    assert (event["action"], event["request_id"], event["allowed"]) == ("GET /job", "r-9", False)


def test_a_device_that_a_key_is_not_for(served: Served) -> None:
    """Whose key it was and which device is on record."""
    process, api = served
    key = success(api.post("/key", json={"name": "lab", "scopes": ["admin"], "hosts": ["10.0.0.0/8"]}), 201)["key"]
    answer = httpx.delete(f"{process.url}/circuit?host=192.0.2.1", headers={NAME: key})
    failure(answer, 403)
    event = awaited(api, allowed=False)
    assert (event["actor"], event["host"], event["action"]) == ("lab", "192.0.2.1", "DELETE /circuit")
    assert event["reason"] == answer.json()["message"]
    assert key not in str(events(api))


def test_refusals_are_written_at_shutdown(database: str) -> None:
    with in_thread(database) as (served, _):
        for _ in range(5):
            failure(httpx.delete(f"{served.url}/worker?node=a"), 403)
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM netpulse.audit_event").fetchone() == (5,)


@pytest.mark.anyio
async def test_more_refusals_than_can_wait_are_counted(database: str) -> None:
    engine = database_engine(database, 1)
    refusals = Refusals(engine, most=BATCH + 1)
    for number in range(BATCH + 8):
        refusals.add(AuditEvent(f"a{number}", allowed=False, actor="someone"))
    refusals.start()
    await refusals.stop()
    rows = await find_events(engine, AuditFilter(), 2 * BATCH)
    await engine.dispose()
    assert {row.action for row in rows if row.detail is None} == {f"a{number}" for number in range(BATCH + 1)}
    assert [row.detail for row in rows if row.detail] == [{"count": 7}]
    assert len(rows) == BATCH + 2


@pytest.mark.anyio
async def test_guessers_do_not_fill_the_disk(database: str) -> None:
    engine = database_engine(database, 1)
    refusals = Refusals(engine)
    for number in range(4 * MOST_NAMELESS):
        refusals.add(AuditEvent(f"a{number}", allowed=False))
    refusals.start()
    await refusals.stop()
    rows = await find_events(engine, AuditFilter(), 10 * MOST_NAMELESS)
    await engine.dispose()
    kept = sum(row.detail is None for row in rows)
    assert MOST_NAMELESS <= kept <= 2 * MOST_NAMELESS  # a minute may begin in between
    assert sum(row.detail["count"] for row in rows if row.detail) == 4 * MOST_NAMELESS - kept


@pytest.mark.anyio
async def test_refusals_wait_for_postgresql(database: str) -> None:
    engine = database_engine(database, 1)
    refusals = Refusals(engine)
    without_trail(database)
    refusals.start()
    refusals.add(AuditEvent("early", allowed=False))
    tried = "SELECT FROM pg_stat_database WHERE datname = current_database() AND xact_rollback > 0"
    with psycopg.connect(database, autocommit=True) as connection:
        await until_async(lambda: _answered(connection, tried), "a failed write")
    with_trail(database)

    async def written() -> Any:
        return await find_events(engine, AuditFilter(), 10)

    [row] = await until_async(written, "the refusal is on record")
    await refusals.stop()
    await engine.dispose()
    assert row.action == "early"


async def _answered(connection: psycopg.Connection, sql: str) -> bool:
    return bool(connection.execute(sql).fetchall())


# ── when nothing can be recorded ──


def test_what_changes_is_answered(api: httpx.Client, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    without_trail(database)
    success(api.delete("/circuit?host=a"))
    assert "audit.not_recorded" in capsys.readouterr().out


@pytest.mark.parametrize("size_bytes", [3, 400_000])
def test_what_reveals_is_withheld(served: Served, database: str, size_bytes: int) -> None:
    process, api = served
    url = f"/storage/{stored_file(database, size_bytes)}"
    assert api.get(url).content == bytes(size_bytes)
    [event] = events(api)
    assert (event["action"], f"/storage/{event['subject']}") == ("GET /storage/{file_id}", url)
    without_trail(database)
    answer = api.get(url)
    assert "must be on record" in failure(answer, 503)["message"]
    assert answer.headers["retry-after"] == "2"
    assert b"\0" not in answer.content
    success(api.get("/health"))  # on the same connection: nothing of the file comes after
    with_trail(database)
    assert api.get(url).content == bytes(size_bytes)
    until(lambda: process.services.database.pool.checkedout() == 0, "every connection is given back")  # type: ignore[attr-defined]


# ── reading ──


def test_pages_and_filters(api: httpx.Client) -> None:
    for host in ("a", "b", "c"):
        success(api.delete("/circuit", params={"host": host}))
    first = api.get("/audit", params={"limit": 2})
    assert [event["host"] for event in success(first)] == ["c", "b"]
    cursor = first.headers["x-next-cursor"]
    rest = api.get("/audit", params={"limit": 2, "cursor": cursor})
    assert [event["host"] for event in success(rest)] == ["a"]
    assert "x-next-cursor" not in rest.headers
    assert [event["host"] for event in events(api, host="B")] == ["b"]
    assert events(api, actor="nobody") == events(api, job=uuid4()) == events(api, until="2020-01-01") == []
    assert len(events(api, actor="admin", action="DELETE /circuit", allowed=True, since="2020-01-01")) == 3


@pytest.mark.parametrize(
    "query", ["cursor=x", "cursor=0", "cursor=9999999999999999999", "limit=0", "since=x", "host=a b"]
)
def test_bad_queries(api: httpx.Client, query: str) -> None:
    assert fault(api.get(f"/audit?{query}"))["loc"] == ["query", query.partition("=")[0]]
