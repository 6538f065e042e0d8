"""Webhooks of detached tasks: from a host's log, by a real worker, to a receiver."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.integration.app.answers import fault, success
from tests.integration.app.hosting import Site, hosting
from tests.waiting import until

SECRET = "T0k3n-in-the-path"


@dataclass
class Receiver:
    """What came, and the status with which it is answered."""

    port: int = 0
    status: int = 200
    told: list[dict[str, Any]] = field(default_factory=list)

    def webhook(self, **options: Any) -> dict[str, Any]:
        return {"webhook": {"url": f"http://127.0.0.1:{self.port}/{SECRET}", "retry_intervals": [0.1], **options}}

    def about(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        """What was told of the task."""
        return [payload for payload in self.told if payload["id"] == task["id"]]


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on loopback, until the end of the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert payload["event_type"] == self.headers["X-NetPulse-Event"]
            receiver.told.append(payload)
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def site(
    postgres_url: str, template: str, tmp_path_factory: pytest.TempPathFactory, receiver: Receiver
) -> Iterator[Site]:
    allowed = {"NETPULSE_WEBHOOKS__PRIVATE_URLS": f"127.0.0.1:{receiver.port}"}
    with hosting(postgres_url, template, tmp_path_factory.mktemp("site"), **allowed) as site:
        yield site


def start(site: Site, command: str, options: dict[str, Any]) -> dict[str, Any]:
    """A task that runs, and is looked at soon."""
    body = site.body(command=command, options=options)
    task: dict[str, Any] = success(site.http.post("/detached-task", json=body), 201)
    site.rows_changed("UPDATE netpulse.detached_task SET look_at = now()")
    return task


def test_the_log_and_the_end_come_in_order(site: Site, receiver: Receiver) -> None:
    gate = site.home / "gate-webhook"
    os.mkfifo(gate)
    task = start(site, f"echo begun; printf half; read line < {gate}; echo; echo $line; exit 3", receiver.webhook())
    first = until(lambda: receiver.about(task), "the first line is told")
    assert [(told["event_type"], told["text"], told["final"]) for told in first] == [("task.log", "begun\n", False)]
    # A worker that dies before it has noted the answer keeps the delivery, and those behind it, until its lease ends.
    until(lambda: site.rows("SELECT FROM netpulse.webhook_delivery WHERE state = 'delivered'"), "it is noted")
    site.replace_worker()
    gate.write_text("went on\n")
    *logs, end = until(
        lambda: (told := receiver.about(task)) and told[-1]["event_type"] == "task.ended" and told, "the end is told"
    )
    assert "".join(told["text"] for told in logs) == "begun\nhalf\nwent on\n"
    assert [told["offset"] for told in logs] == [0, *(told["next_offset"] for told in logs[:-1])]
    shown = success(site.http.get(f"/detached-task/{task['id']}"))
    assert {name: value for name, value in end.items() if name not in ("event_type", "final", "timestamp")} == shown
    assert (end["state"], end["exit_status"], end["log_size"], end["final"]) == ("exited", 3, 19, True)


def test_what_was_given_up_is_told_again(site: Site, receiver: Receiver) -> None:
    receiver.status = 410
    task = start(site, "echo once", receiver.webhook())

    def given_up() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = success(
            site.http.get("/webhook/delivery", params={"job": task["job_id"], "state": "failed"})
        )
        return found if len(found) == 2 else []

    end, log = until(given_up, "both are given up")
    receiver.status = 200
    for delivery in (log, end):
        success(site.http.post(f"/webhook/delivery/{delivery['id']}/redeliver"), 200)
    until(lambda: len(receiver.about(task)) >= 4, "both are told again")
    assert [(told["event_type"], told.get("text")) for told in receiver.about(task)] == [
        ("task.log", "once\n"),
        ("task.ended", None),
    ] * 2


def test_its_secrets_are_in_no_row_and_go_at_last(site: Site, receiver: Receiver) -> None:
    task = start(site, "echo hello", receiver.webhook(headers={"X-Token": SECRET}))
    until(lambda: len(receiver.about(task)) == 2, "it is told")
    left = f"""
        SELECT (SELECT count(*) FROM netpulse.webhook_delivery WHERE sealed IS NOT NULL OR said IS NOT NULL),
               (SELECT count(*) FROM netpulse.webhook_secret),
               (SELECT count(*) FROM netpulse.job AS j WHERE j::text LIKE '%{SECRET}%'),
               (SELECT count(*) FROM netpulse.detached_task AS t WHERE t::text LIKE '%{SECRET}%')"""  # noqa: S608
    assert until(lambda: site.rows(left) == [(0, 0, 0, 0)], "nothing is left")


def test_events_are_those_of_what_is_asked_for(site: Site) -> None:
    def asked(event: str) -> dict[str, Any]:
        webhook = {"url": "https://hooks.example/", "events": [event]}
        return site.body(command="true", options={"webhook": webhook})

    for path, event in (("/detached-task", "job.failed"), ("/device/execute", "task.ended")):
        assert fault(site.http.post(path, json=asked(event)))["loc"] == ["options", "webhook"]
    [failed] = success(site.http.post("/device/bulk", json=asked("task.log") | {"devices": [{"host": "192.0.2.1"}]}))[
        "failed"
    ]
    assert failed["reason"].startswith("options.webhook: ")
