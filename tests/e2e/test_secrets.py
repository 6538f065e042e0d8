"""What a whole run leaves behind: the database, its log of changes, our logs, every answer. No secret is in them."""

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import psycopg
import pytest
from psycopg import sql

from app import migrations
from app.postgres import EmbeddedPostgres
from drivers.lab import Drop, LabProcess, NonUtf8, RefuseLogin, Stall, User
from tests.postgres import open_directory
from tests.stack import Stack

PASSWORD, ENABLE, WRONG = "pa55-Word'of/the lab", "enable-5ecret+here", "a-wr0ng-pas5word"
BOB = User("bob", "b0bs-very-0wn", 1)
MARK = "a-mark-that-must-be-found"
WRONG_KEY = "not-the-4pi-key-of-this-site"


@dataclass(frozen=True)
class Remains:
    """Everything that was left, as bytes, by where it was."""

    secrets: dict[str, str]
    places: dict[str, bytes]


@pytest.fixture(scope="module")
def remains(tmp_path_factory: pytest.TempPathFactory) -> Remains:
    """A run of good and failed jobs, with logs at DEBUG; then all that can be read."""
    logs = tmp_path_factory.mktemp("logs")
    settings = {"NETPULSE_LOG__LEVEL": "DEBUG"}
    answers: list[bytes] = []
    with (
        open_directory() as directory,
        EmbeddedPostgres(directory / "data") as server,
        LabProcess(devices=8, password=PASSWORD, secret=ENABLE, users=[BOB]) as lab,
    ):
        server.ensure_database("netpulse")
        migrations.upgrade(server.url("netpulse"))
        with Stack(server.url("netpulse"), logs, lab, settings=settings) as stack:

            def keep(answer: httpx.Response) -> None:
                answer.read()
                answers.append(f"{answer.url.path} {answer.headers}".encode() + answer.content)

            stack.http.event_hooks["response"] = [keep]
            _run(stack, lab)
            secrets = {"api key": stack.api_key, "secret key": stack.secret_key, "wrong key": WRONG_KEY}
            tables = _tables(server.url("netpulse"))
        server.stop()  # a checkpoint: all that was written is in the files
        files = {str(path): path.read_bytes() for path in (directory / "data").rglob("*") if path.is_file()}
    secrets |= {"password": PASSWORD, "enable": ENABLE, "wrong password": WRONG, "bob's password": BOB.password}
    places = {**tables, **files, "answers": b"\n".join(answers), **{p.name: p.read_bytes() for p in logs.iterdir()}}
    return Remains(secrets, places)


def _run(stack: Stack, lab: LabProcess) -> None:
    """Jobs that go well, jobs that fail in every way, requests that are refused."""
    good, refusing, stalled, dropped, strange, enabled, crashed, _ = lab.devices
    stack.run(good, command=["show version", f"show running-config | include {MARK}"])
    stack.run(good, config=["interface Loopback0", f"description {MARK}"], driver_args={"save": True})
    bob = {"username": BOB.name, "password": BOB.password}
    stack.run(good, command="show version", connection=bob)
    stack.run(good, command="show version", queue_strategy="fifo")
    stack.run(good, command=f"show version | include {PASSWORD}")
    assert f"show version | include {PASSWORD}" in lab.commands(good)  # the device got it as it was sent
    lab.set_faults(refusing, RefuseLogin())
    stack.run(refusing, command="show version")
    stack.run(good, command="show version", connection={"password": WRONG})
    stack.run(enabled, command="show version", connection={**bob, "secret": WRONG})
    lab.set_faults(stalled, Stall(command="show version"))
    stack.run(stalled, command="show version", driver_args={"read_timeout": 1})
    lab.set_faults(dropped, Drop(command="ntp"))
    stack.run(dropped, config=["ntp server 192.0.2.1"])
    lab.set_faults(strange, *(NonUtf8(raw_hex=secret.encode().hex()) for secret in (PASSWORD, ENABLE)))  # it tells
    assert "***" in stack.run(strange, command="show version")["result"]["retval"][0]["stdout"]
    lab.set_faults(crashed, Stall(command="show version", count=1))
    job = stack.submit(crashed, command="show version")
    lab.wait_received(crashed, "show version")
    stack.worker.kill()
    stack.http.delete("/job", params={"id": job["id"], "force": True})
    _refused(stack)


def _refused(stack: Stack) -> None:
    device = stack.lab.devices[0]
    body = stack.body(device, command="show version")
    post = stack.http.post
    wrong_types = {**body["connection_args"], "port": "x", "timeout": PASSWORD, "password": [PASSWORD]}
    assert post("/device/execute", json={**body, "connection_args": wrong_types}).status_code == 400
    assert post("/device/execute", json={**body, "pasword": PASSWORD}).status_code == 400
    assert post("/device/execute", content=f'{{"password": "{ENABLE}", '.encode()).status_code in (400, 415)
    assert post("/device/execute", json=body, headers={"X-API-KEY": WRONG_KEY}).status_code == 403
    cookies = {"X-API-KEY": stack.api_key}
    with httpx.Client(base_url=stack.http.base_url, event_hooks=stack.http.event_hooks) as bare:
        assert bare.get("/job", params={"X-API-KEY": stack.api_key, "limit": "x"}).status_code == 400
        assert bare.get("/nowhere", params={"X-API-KEY": stack.api_key}).status_code == 404
        assert bare.get("/job", params={"X-API-KEY": WRONG_KEY}).status_code == 403
    with httpx.Client(base_url=stack.http.base_url, event_hooks=stack.http.event_hooks, cookies=cookies) as bare:
        assert bare.get("/worker").status_code == 200
    with ThreadPoolExecutor(4) as clients:
        list(clients.map(lambda _: stack.http.get("/job", params={"limit": 1000}), range(4)))


def _tables(url: str) -> dict[str, bytes]:
    """Every value of every table, as text; bytes as they are, and decoded where they are base64."""
    found = {}
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in names:
            rows = connection.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))).fetchall()
            found[f"{schema}.{table}"] = b"\n".join(_plain(value) for row in rows for value in row)
    return found


def _plain(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    return value + b" " + base64.urlsafe_b64decode(value + b"==")


def _spellings(secret: str) -> set[bytes]:
    """How a secret might be written."""
    plain = secret.encode()
    encoded = base64.b64encode(plain).rstrip(b"=")[:-1]  # the last character depends on what follows
    return {plain, plain.hex().encode(), encoded, quote(secret, safe="").encode(), secret.replace("'", "''").encode()}


def test_no_secret_is_left_anywhere(remains: Remains) -> None:
    found = [
        (name, place)
        for name, secret in remains.secrets.items()
        for place, content in remains.places.items()
        if any(spelling in content for spelling in _spellings(secret))
    ]
    assert found == []


@pytest.mark.parametrize(
    "place", ["netpulse.job", "netpulse.job_output", "pg_wal", "base", "answers", "worker-1.log", "api.log"]
)
def test_the_search_sees_what_is_there(remains: Remains, place: str) -> None:
    """A search that cannot find anything would prove nothing."""
    sought = {"worker-1.log": b"job.failed", "api.log": b"/device/execute"}.get(place, MARK.encode())
    assert any(sought in content for name, content in remains.places.items() if place in name), list(remains.places)


def test_the_sealed_login_was_there_and_is_gone_with_its_job(remains: Remains) -> None:
    token = b"gAAAAA"  # how a Fernet token begins
    assert token in remains.places["netpulse.job"]  # the job that the killed worker left
    assert remains.places["netpulse.job"].count(token) == 1
