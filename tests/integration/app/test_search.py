"""GET /job?output=&parsed=: jobs by what their devices said."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.integration.app.answers import fault, success
from tests.integration.app.queueing import SqlWorker, output
from tests.integration.app.serving import body, connection

VERSION = "Cisco IOS Software, Version 15.2(4)M6\nr1-core uptime is 3 weeks"
UP = [{"interface": "Gi0/1", "status": "up"}, {"interface": "Gi0/2", "status": "down"}]


@pytest.fixture
def worker(database: str) -> Iterator[SqlWorker]:
    """A worker that has claimed nothing."""
    with SqlWorker(database) as worker:
        yield worker


class Jobs:
    """Jobs that have ended."""

    def __init__(self, api: httpx.Client, worker: SqlWorker) -> None:
        self.api, self.worker = api, worker

    def add(self, *said: tuple[str, Any], host: str = "192.0.2.1") -> str:
        """A job with these texts and records; its id."""
        sent = body(connection_args=connection(host=host))
        job = str(success(self.api.post("/device/execute", json=sent), 201)["id"])
        self.worker.claim()
        rows = [output(job, n, "done") | {"stdout": text, "parsed": parsed} for n, (text, parsed) in enumerate(said)]
        result = {"id": job, "state": "finished", "extra_attempts": 0}
        self.worker.execute(
            "SELECT netpulse.finish_jobs(%s, %s, %s)", self.worker.id, json.dumps([result]), json.dumps(rows)
        )
        return job

    def find(self, **params: Any) -> list[str]:
        """Ids of the jobs that are found, newest first."""
        return [job["id"] for job in success(self.api.get("/job", params=params))]


@pytest.fixture
def jobs(api: httpx.Client, worker: SqlWorker) -> Jobs:
    return Jobs(api, worker)


def test_words(jobs: Jobs) -> None:
    first = jobs.add((VERSION, None))
    second = jobs.add(("nothing", None), (VERSION.replace("weeks", "days"), None))

    found = {
        "Version": [second, first],
        "version 15.2": [second, first],
        "15.2(4)M6": [second, first],
        "weeks cisco": [first],
        "r1-core": [second, first],
        "Cisc": [],
        "nothing weeks": [],
        "nothing cisco": [],
    }
    assert {words: jobs.find(output=words) for words in found} == found


def test_records(jobs: Jobs) -> None:
    job = jobs.add(("a", None), ("b", UP))
    jobs.add(("a", [{"interface": "Gi0/2", "status": "up"}]))

    assert jobs.find(parsed=json.dumps([{"interface": "Gi0/2", "status": "down"}])) == [job]
    assert jobs.find(parsed=json.dumps([{"status": "testing"}])) == []
    assert jobs.find(parsed='{"status": "down"}') == []


def test_both_are_of_the_same_output(jobs: Jobs) -> None:
    job = jobs.add(("gigabit", UP))
    jobs.add(("gigabit", None), ("other", UP))

    assert jobs.find(output="gigabit", parsed='[{"status": "down"}]') == [job]


def test_with_the_other_filters_and_pages(jobs: Jobs) -> None:
    here = [jobs.add((f"common {n}", None)) for n in range(3)]
    there = jobs.add(("common", None), host="192.0.2.2")

    assert jobs.find(output="common", host="192.0.2.1", status="finished") == here[::-1]
    assert jobs.find(output="common", status="failed") == []
    page = jobs.api.get("/job", params={"output": "common", "limit": 2})
    assert [job["id"] for job in success(page)] == [there, here[2]]
    assert jobs.find(output="common", limit=2, cursor=page.headers["x-next-cursor"]) == here[1::-1]


def test_ordinary_questions_on_the_same_connection_afterwards(jobs: Jobs) -> None:
    """What a search sets ends with it: otherwise a later write would stay in a transaction that nobody ends."""
    for _ in range(6):  # more than there are connections
        jobs.find(output="x")
    job = jobs.add(("a", None))
    assert jobs.find() == [job]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("output", " -- !", "no word"),
        ("output", "x" * 501, "500"),
        ("parsed", "[", "not JSON"),
        ("parsed", "[NaN]", "not JSON"),
        ("parsed", '"up"', "list or an object"),
        ("parsed", "[" * 2400 + "]" * 2400, "not JSON"),
        ("parsed", '["\\u0000"]', "no record can have"),
        ("parsed", '["\\ud800"]', "no record can have"),
        ("parsed", "[1e999]", "no record can have"),
    ],
)
def test_what_is_not_valid(asking: httpx.Client, name: str, value: str, said: str) -> None:
    found = fault(asking.get("/job", params={name: value}))
    assert found["loc"] == ["query", name]
    assert said in found["msg"]
