"""Webhooks from end to end: a receiver hears of jobs' ends, also when the worker that tells it is killed."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from drivers.lab import LabDevice, LabProcess
from tests.stack import SHORT_LIVED, Stack
from tests.waiting import until

SECRETS = {
    "path": "T0k3n-in-the-path",
    "query": "T0k3n-in-the-query",
    "header": "T0k3n-in-a-header",
    "cookie": "T0k3n-in-a-cookie",
    "password": "T0k3n-as-password",
    "secret": "T0k3n-that-signs",
}


@dataclass
class Receiver:
    """What came. While `open_` is not set, nothing is answered; then with `status`."""

    port: int = 0
    status: int = 200
    open_: threading.Event = field(default_factory=threading.Event)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def webhook(self, **options: Any) -> dict[str, Any]:
        """Options that have every secret there can be."""
        return {
            "url": f"http://127.0.0.1:{self.port}/{SECRETS['path']}?token={SECRETS['query']}",
            "headers": {"X-Token": SECRETS["header"]},
            "cookies": {"session": SECRETS["cookie"]},
            "auth": ["robot", SECRETS["password"]],
            "secret": SECRETS["secret"],
            **options,
        }


@pytest.fixture(scope="module")
def listening() -> Iterator[Receiver]:
    """A receiver for the module."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            receiver.open_.wait(60)
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

        def handle(self) -> None:
            with suppress(ConnectionError):  # its client was killed
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield receiver
    receiver.open_.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def receiver(listening: Receiver) -> Receiver:
    """It, with nothing received yet, answering 200."""
    listening.received.clear()
    listening.status = 200
    listening.open_.set()
    return listening


@pytest.fixture(scope="module")
def site(
    module_database: str, lab: LabProcess, listening: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A site whose logs say all they can, and that may talk to the receiver."""
    settings = {
        **SHORT_LIVED,
        "NETPULSE_LOG__LEVEL": "DEBUG",
        "NETPULSE_WEBHOOKS__PRIVATE_URLS": f"127.0.0.1:{listening.port}",
    }
    with Stack(module_database, tmp_path_factory.mktemp("logs"), lab, settings=settings) as stack:
        yield stack


def deliveries(stack: Stack, **filters: Any) -> list[dict[str, Any]]:
    """What the API lists."""
    answer = stack.http.get("/webhook/delivery", params=filters)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def until_delivered(stack: Stack, job: dict[str, Any]) -> dict[str, Any]:
    return until(lambda: deliveries(stack, job=job["id"], state="delivered"), "it is delivered")[0]


def test_the_receiver_gets_the_job_as_the_api_shows_it(site: Stack, receiver: Receiver, device: LabDevice) -> None:
    job = site.run(device, command="show version", options={"webhook": receiver.webhook()})
    delivery = until_delivered(site, job)
    [(headers, body)] = receiver.received
    payload = json.loads(body)
    assert {name: payload.pop(name) for name in ("event_type", "final")} == {
        "event_type": "job.completed",
        "final": True,
    }
    assert payload.pop("timestamp") == delivery["created_at"]
    assert payload == site.job(job)
    assert headers["x-token"] == SECRETS["header"]
    assert delivery["url"] == f"http://127.0.0.1:{receiver.port}/***"
    assert [(one["status"], one["error"]) for one in delivery["attempts"]] == [(200, None)]


def test_every_job_of_a_bulk_is_told(site: Stack, receiver: Receiver, fresh: Callable[[], LabDevice]) -> None:
    devices = [fresh() for _ in range(3)]
    body = site.body(devices[0], command="show clock", options={"webhook": receiver.webhook()})
    body["devices"] = [{"host": one.host, "port": one.port} for one in devices]
    answer = site.http.post("/device/bulk", json=body).json()["data"]
    for job in answer["succeeded"]:
        until_delivered(site, job)
    assert len(receiver.received) == 3


def test_a_delivery_that_was_given_up_is_put_back_by_hand(site: Stack, receiver: Receiver, device: LabDevice) -> None:
    receiver.status = 500
    job = site.run(device, command="show version", options={"webhook": receiver.webhook(max_retries=0)})
    [failed] = until(lambda: deliveries(site, job=job["id"], state="failed"), "it is given up")
    receiver.status = 200
    answer = site.http.post(f"/webhook/delivery/{failed['id']}/redeliver")
    assert answer.status_code == 200, answer.text
    assert len(until_delivered(site, job)["attempts"]) == 2
    assert site.http.post(f"/webhook/delivery/{failed['id']}/redeliver").status_code == 409


def test_a_killed_workers_delivery_is_brought_by_another(site: Stack, receiver: Receiver, device: LabDevice) -> None:
    receiver.open_.clear()
    job = site.run(device, command="show version", options={"webhook": receiver.webhook(timeout=60)})
    until(lambda: receiver.received, "the receiver is being told")
    site.worker.kill()
    receiver.open_.set()
    site.start_worker()
    # As if the lease were over.
    site.rows("UPDATE netpulse.webhook_delivery SET next_at = now() WHERE state = 'sending' RETURNING id")
    with psycopg.connect(site.database_url) as connection:
        connection.execute("NOTIFY netpulse_webhook")
    delivery = until_delivered(site, job)
    assert [one["error"] for one in delivery["attempts"]] == ["The worker that sent it was lost.", None]
    assert [headers["x-netpulse-delivery"] for headers, _ in receiver.received] == [delivery["id"]] * 2


def test_its_secrets_are_nowhere_in_the_clear(site: Stack, receiver: Receiver, device: LabDevice) -> None:
    """Not while it waits, nor when it is delivered or given up; in no row, answer or log."""
    receiver.open_.clear()
    waiting = site.submit(device, command="show version", options={"webhook": receiver.webhook()})
    site.await_job(waiting)
    until(lambda: receiver.received, "the receiver is being told")
    answers = [site.http.get("/job").text, site.http.get("/webhook/delivery").text, everything(site)]
    receiver.open_.set()
    until_delivered(site, waiting)
    receiver.status = 404
    given_up = site.run(device, command="show version", options={"webhook": receiver.webhook(max_retries=0)})
    until(lambda: deliveries(site, job=given_up["id"], state="failed"), "it is given up")
    answers += [site.http.get("/job").text, site.http.get("/webhook/delivery").text, everything(site)]
    answers += [process.text() for process in site.processes]

    assert "webhook.attempted" in answers[-1]
    for text in answers:
        assert [name for name, secret in SECRETS.items() if secret in text] == []


def everything(stack: Stack) -> str:
    """Every row of the database, as text."""
    ours = "schemaname IN ('netpulse', 'public')"
    tables = stack.rows(f"SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE {ours}")  # noqa: S608
    rows = (str(stack.rows(f"SELECT t::text FROM {table['name']} AS t")) for table in tables)  # noqa: S608 - ours
    return "\n".join(rows)
