"""`/report`: the views as JSON and CSV."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from tests import postgres
from tests.integration.app.answers import failure, fault, success
from tests.integration.app.keyring import coming_with, make_key
from tests.integration.app.serving import in_thread
from tests.integration.reports.past import make_past

CSV = {"Accept": "text/csv"}
ALWAYS = "2000-01-01"
NAMES = [
    "job",
    "output",
    "latest_output",
    "output_change",
    "change",
    "device",
    "failure",
    "availability",
    "throughput",
    "worker_load",
    "delivery",
    "audit",
]
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"]


@pytest.fixture(scope="module")
def url(postgres_url: str, template: str) -> Iterator[str]:
    """A database with a past that no test changes."""
    with postgres.new_database(postgres_url, template) as url:
        make_past(url, jobs=2500, devices=40)
        yield url


@pytest.fixture(scope="module")
def past(url: str) -> Iterator[httpx.Client]:
    """A client of a site with that past."""
    with in_thread(url) as (_, asking):
        yield asking


def table(answer: httpx.Response) -> list[dict[str, str]]:
    """The rows of a CSV."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    csv.field_size_limit(1 << 23)
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def counted(url: str, statement: str) -> Any:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def test_the_list_explains_every_column(past: httpx.Client) -> None:
    reports = success(past.get("/report"))
    assert [report["name"] for report in reports] == NAMES
    for report in reports:
        assert report["description"]
        assert all(column["description"] and column["type"] for column in report["columns"])
        names = {column["name"] for column in report["columns"]}
        assert names >= {*report["filters"], *([report["time"]] if report["time"] else [])}


@pytest.mark.parametrize("name", NAMES)
def test_json_and_csv_tell_the_same(past: httpx.Client, name: str) -> None:
    every = {"limit": 10_000} | ({} if name == "worker_load" else {"since": ALWAYS})
    rows = success(past.get(f"/report/{name}", params=every))
    lines = table(past.get(f"/report/{name}", params=every, headers=CSV))
    assert len(rows) == len(lines) > 0
    [described] = [report for report in success(past.get("/report")) if report["name"] == name]
    columns = [column["name"] for column in described["columns"]]
    assert list(rows[0]) == list(lines[0]) == columns


def test_pages_follow_each_other(past: httpx.Client, url: str) -> None:
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while cursor is not None:
        answer = past.get("/report/job", params={"since": ALWAYS, "limit": 1000, **cursor})
        seen += [row["id"] for row in success(answer)]
        following = answer.headers.get("X-Next-Cursor")
        if following is None:
            break
        cursor = {"cursor": following}
    ended = counted(url, "SELECT count(*) FROM netpulse.job WHERE ended_at IS NOT NULL")
    assert len(seen) == len(set(seen)) == ended == 2495


def test_a_page_of_large_rows_ends_early(database: str) -> None:
    """Six outputs of 4 MB are two pages: the first one ends with the row that made it too large."""
    make_past(database, jobs=20, devices=1)
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE netpulse.output_text DISABLE TRIGGER ALL")
        connection.execute("UPDATE netpulse.output_text SET body = repeat('x', 4 << 20)")
    with in_thread(database) as (_, client):
        wanted = {"since": ALWAYS, "command": "show version"}
        total = len(table(client.get("/report/output", params=wanted, headers=CSV)))
        first = client.get("/report/output", params=wanted)
        second = client.get("/report/output", params={**wanted, "cursor": first.headers["X-Next-Cursor"]})
    assert total > 4
    assert len(success(first)) == 4
    assert {row["job_id"] for row in success(first)}.isdisjoint(row["job_id"] for row in success(second))


def test_filters(past: httpx.Client, url: str) -> None:
    rows = success(past.get("/report/failure", params={"since": ALWAYS, "error_type": "Unreachable", "host": "CORE7"}))
    assert {(row["host"], row["error_type"]) for row in rows} <= {("core7", "Unreachable")}
    expected = "SELECT count(*) FROM netpulse.job WHERE host = 'core7' AND error_type = 'Unreachable'"
    assert sum(row["jobs"] for row in rows) == counted(url, expected)
    rows = success(past.get("/report/job", params={"state": "failed", "since": ALWAYS, "limit": 5}))
    assert [row["state"] for row in rows] == ["failed"] * 5
    assert [row["ended_at"] for row in rows] == sorted((row["ended_at"] for row in rows), reverse=True)
    rows = success(past.get("/report/latest_output", params={"command": "show version", "host": "core1"}))
    assert [(row["host"], row["command"]) for row in rows] == [("core1", "show version")]


def test_times(past: httpx.Client) -> None:
    """By default the last seven days; a day or an hour counts as a whole."""
    now = datetime.now(UTC)
    recent = success(past.get("/report/job", params={"limit": 10_000}))
    assert all(datetime.fromisoformat(row["ended_at"]) > now - timedelta(days=7, minutes=1) for row in recent)
    since = (now - timedelta(days=3)).replace(hour=12)
    days = {row["day"] for row in success(past.get("/report/availability", params={"since": since.isoformat()}))}
    assert min(days) == since.date().isoformat()
    until = (now - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    days = {row["day"] for row in success(past.get("/report/failure", params={"until": until.isoformat()}))}
    assert max(days) < until.date().isoformat()


def test_csv_by_format(past: httpx.Client) -> None:
    answer = past.get("/report/device", params={"format": "csv"})
    assert len(table(answer)) == 40
    assert answer.headers["content-disposition"] == 'attachment; filename="device.csv"'
    assert success(past.get("/report/device", params={"format": "json"}, headers=CSV))


def test_no_cell_is_a_formula(database: str) -> None:
    """Of what a device or a client said; numbers stay numbers."""
    make_past(database, jobs=20, devices=1)
    with psycopg.connect(database) as connection:
        ids = [
            row[0] for row in connection.execute("SELECT id FROM netpulse.job WHERE ended_at IS NOT NULL ORDER BY id")
        ]
        for job_id, text in zip(ids, FORMULAS, strict=False):
            connection.execute(
                "UPDATE netpulse.job SET submitted_by = %s, worker = 'a=b', priority = -3 WHERE id = %s", [text, job_id]
            )
    with in_thread(database) as (_, client):
        rows = table(client.get("/report/job", params={"since": ALWAYS}, headers=CSV))
    seen = [row["submitted_by"] for row in rows if row["priority"] == "-3"]
    assert sorted(seen) == sorted(f"'{text}" for text in FORMULAS)
    assert {row["worker"] for row in rows if row["priority"] == "-3"} == {"a=b"}


def test_what_is_not_there(past: httpx.Client) -> None:
    message = failure(past.get("/report/nothing"), 404)["message"]
    assert all(re.search(rf"\b{name}\b", message) for name in NAMES)


@pytest.mark.parametrize(
    ("name", "query", "parameter"),
    [
        ("failure", {"command": "show version"}, "command"),
        ("worker_load", {"since": ALWAYS}, "since"),
        ("throughput", {"host": "core1"}, "host"),
        ("job", {"since": "yesterday"}, "since"),
        ("job", {"limit": "10001"}, "limit"),
        ("job", {"format": "xml"}, "format"),
    ],
)
def test_bad_queries(past: httpx.Client, name: str, query: dict[str, str], parameter: str) -> None:
    assert parameter in fault(past.get(f"/report/{name}", params=query))["loc"]


def test_a_key_for_some_devices(past: httpx.Client) -> None:
    with coming_with(past.base_url, make_key(past, "only-some", "read", hosts=["core1?"])) as client:
        for name in ("job", "output", "latest_output", "output_change", "change", "device", "failure", "availability"):
            rows = success(client.get(f"/report/{name}", params={"since": ALWAYS}))
            assert rows
            assert all(re.fullmatch("core1.", row["host"]) for row in rows), name
        assert success(client.get("/report/job", params={"host": "core2"})) == []
        for name in ("throughput", "worker_load"):
            failure(client.get(f"/report/{name}"), 403)
            failure(client.get(f"/report/{name}", headers=CSV), 403)


def test_audit_is_for_admins(past: httpx.Client) -> None:
    with coming_with(past.base_url, make_key(past, "only-reads", "read")) as client:
        assert "admin" in failure(client.get("/report/audit"), 403)["message"]
        assert success(client.get("/report/throughput"))
    assert success(past.get("/report/audit", params={"actor": "noc", "limit": 3}))
