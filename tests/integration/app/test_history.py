"""GET /device/{host}/history: what a command said over time; and jobs whose texts are not kept."""

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.integration.app.answers import failure, fault, success
from tests.integration.app.queueing import SqlWorker, output
from tests.integration.app.serving import body, connection

RUN = "show running-config"
OLD, NEW = "hostname r1\nntp server 192.0.2.1\nend", "hostname r1\nntp server 192.0.2.2\nend"


@pytest.fixture
def worker(database: str) -> Iterator[SqlWorker]:
    """A worker that has claimed nothing."""
    with SqlWorker(database) as worker:
        yield worker


class Device:
    """A device that says what a test wants."""

    def __init__(self, api: httpx.Client, worker: SqlWorker) -> None:
        self.api, self.worker = api, worker

    def say(self, text: str | None, command: str = RUN, **login: Any) -> dict[str, Any]:
        """The job that it said this to."""
        sent = body(command=command, connection_args=connection(**login))
        job = success(self.api.post("/device/execute", json=sent), 201)["id"]
        self.worker.claim()
        said = output(job, 0, "done") | {"command": command, "stdout": text}
        result = {"id": job, "state": "finished", "extra_attempts": 0}
        self.worker.execute(
            "SELECT netpulse.finish_jobs(%s, %s, %s)", self.worker.id, json.dumps([result]), json.dumps([said])
        )
        found: dict[str, Any] = success(self.api.get(f"/job/{job}"))
        return found

    def history(self, host: str = "192.0.2.1", command: str = RUN, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = success(
            self.api.get(f"/device/{host}/history", params={"command": command, **params})
        )
        return found


@pytest.fixture
def device(api: httpx.Client, worker: SqlWorker) -> Device:
    return Device(api, worker)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_versions_and_their_differences(device: Device) -> None:
    jobs = [device.say(text) for text in (OLD, OLD, NEW, NEW)]
    device.say("other", "show clock")

    newer, older = device.history()
    assert (older["first_job_id"], older["last_job_id"]) == (jobs[0]["id"], jobs[1]["id"])
    assert (newer["first_job_id"], newer["last_job_id"]) == (jobs[2]["id"], jobs[3]["id"])
    seen = [moment(version[name]) for version in (older, newer) for name in ("first_seen_at", "last_seen_at")]
    assert seen == [moment(job["ended_at"]) for job in jobs]
    assert [version["digest"] for version in (older, newer)] == [
        hashlib.sha256(text.encode()).hexdigest() for text in (OLD, NEW)
    ]
    assert (newer["port"], newer["size_bytes"], newer["text"], newer["note"]) == (22, len(NEW), None, None)
    assert (older["difference"], older["note"]) == (None, "the first version on record")
    head, lines = newer["difference"].split("\n")[:2], newer["difference"].split("\n")[2:]
    assert head[0].startswith(f"--- job {jobs[1]['id']}\t")
    assert head[1].startswith(f"+++ job {jobs[2]['id']}\t")
    assert lines == ["@@ -1,3 +1,3 @@", " hostname r1", "-ntp server 192.0.2.1", "+ntp server 192.0.2.2", " end"]


def test_whole_texts_and_the_newest_ones_only(device: Device) -> None:
    for text in (OLD, NEW, ""):
        device.say(text)

    assert [version["text"] for version in device.history(text=True)] == ["", NEW, OLD]
    [newest] = device.history(limit=1)
    assert (newest["digest"], newest["size_bytes"]) == (None, 0)
    assert newest["difference"].split("\n")[2:] == ["@@ -1,3 +0,0 @@", *(f"-{line}" for line in NEW.split("\n"))]


def test_a_time_and_a_port(device: Device) -> None:
    jobs = [device.say(text) for text in ("a", "b", "c")]
    device.say("d", port=2222)

    at = [job["ended_at"] for job in jobs]
    assert [version["text"] for version in device.history(text=True, since=at[1], until=at[2])] == ["b"]
    assert [(version["text"], version["port"]) for version in device.history(text=True)] == [
        *(("d", 2222), ("c", 22), ("b", 22), ("a", 22))
    ]
    [other] = device.history(port=2222)
    assert other["note"] == "the first version on record"
    assert device.history(command="show clock") == device.history("192.0.2.9") == []


def test_a_text_that_takes_too_long_to_compare_is_left_out(device: Device) -> None:
    """What a hostile device chooses for difflib: lines of which each is many times in the other text."""
    device.say("\n".join(f"{n % 700}" for n in range(150_000)))
    device.say("\n".join(f"{n * 7 % 701}" for n in range(150_000)))

    [newer, _] = device.history()
    assert (newer["difference"], newer["note"]) == (None, "left out: the texts take too long to compare")


def test_a_text_that_is_too_large_or_gone(device: Device) -> None:
    for text in ("x" * 2_000_001, "b", "c"):
        device.say(text)
    device.worker.execute("DELETE FROM netpulse.job_output RETURNING job_id")
    device.worker.execute(
        "UPDATE netpulse.output_change SET digest = NULL WHERE previous_digest IS NOT NULL RETURNING id"
    )
    device.worker.execute("DELETE FROM netpulse.output_text WHERE body = 'b' RETURNING digest")

    assert [version["note"] for version in device.history()] == [
        "left out: a text is no longer kept",
        "left out: a text is larger than 2 MB",
        "the first version on record",
    ]


@pytest.mark.parametrize(
    ("path", "place", "said"),
    [
        ("/device/192.0.2.1/history", "command", "is needed"),
        ("/device/192.0.2.1/history?command=", "command", "is needed"),
        (f"/device/192.0.2.1/history?command={'c' * 1001}", "command", "1000"),
        ("/device/a%20b/history?command=a", "host", "not a host name"),
        ("/device/192.0.2.1/history?command=a&limit=101", "limit", "100"),
        ("/device/192.0.2.1/history?command=a&port=0", "port", "1"),
        ("/device/192.0.2.1/history?command=a&since=x", "since", "not a time"),
        ("/device/192.0.2.1/history?command=a&txt=true", "txt", "did you mean 'text'?"),
    ],
)
def test_what_is_not_valid(asking: httpx.Client, path: str, place: str, said: str) -> None:
    found = fault(asking.get(path))
    assert found["loc"][-1] == place
    assert said.lower() in found["msg"].lower()


def test_only_the_devices_of_the_key(device: Device) -> None:
    device.say("a")
    key = {"name": "elsewhere", "scopes": ["read"], "hosts": ["198.51.100.0/24"]}
    made = success(device.api.post("/key", json=key), 201)
    answer = device.api.get("/device/192.0.2.1/history?command=x", headers={"X-API-KEY": made["key"]})
    assert "not for the device 192.0.2.1" in failure(answer, 403)["message"]


def test_metadata_only(api: httpx.Client, worker: SqlWorker) -> None:
    job = success(api.post("/device/execute", json=body(options={"record": "metadata"})), 201)["id"]
    worker.claim()
    said = output(job, 0, "done") | {"stdout": None, "size_bytes": 7}
    result = {"id": job, "state": "finished", "extra_attempts": 0}
    worker.execute("SELECT netpulse.finish_jobs(%s, %s, %s)", worker.id, json.dumps([result]), json.dumps([said]))

    [entry] = success(api.get(f"/job/{job}"))["result"]["retval"]
    assert (entry["command"], entry["stdout"], entry["metadata"]["size_bytes"]) == ("line 0", "", 7)
    assert success(api.get("/device/192.0.2.1/history", params={"command": "line 0"})) == []
