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
from tests.vault import VaultServer

PASSWORD, ENABLE, WRONG = "pa55-Word'of/the lab", "enable-5ecret+here", "a-wr0ng-pas5word"
BOB = User("bob", "b0bs-very-0wn", 1)
MARK = "a-mark-that-must-be-found"
WRONG_KEY = "not-the-4pi-key-of-this-site"
BEFORE, STORED = "before-the-r0tation", "5tored-in-our-own"
"""Of Vault, until it is rotated; and a login that the provider `local` keeps, which no device takes."""


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
        VaultServer() as vault,
    ):
        role_id, secret_id = vault.add_role(["root"])
        settings |= {
            "NETPULSE_VAULT__ADDRESS": vault.url,
            "NETPULSE_VAULT__ROLE_ID": role_id,
            "NETPULSE_VAULT__SECRET_ID": secret_id,
        }
        server.ensure_database("netpulse")
        migrations.upgrade(server.url("netpulse"))
        with Stack(server.url("netpulse"), logs, lab, settings=settings) as stack:

            def keep(answer: httpx.Response) -> None:
                answer.read()
                answers.append(f"{answer.url.path} {answer.headers}".encode() + answer.content)

            stack.http.event_hooks["response"] = [keep]
            own = _referred(stack, lab, vault)
            _run(stack, lab)
            secrets = {"api key": stack.api_key, "secret key": stack.secret_key, "wrong key": WRONG_KEY}
            secrets |= {"vault's secret id": secret_id, "vault's token": vault.seen[-1].headers["X-Vault-Token"], **own}
            tables = _tables(server.url("netpulse"))
        server.stop()  # a checkpoint: all that was written is in the files
        files = {str(path): path.read_bytes() for path in (directory / "data").rglob("*") if path.is_file()}
    secrets |= {"before the rotation": BEFORE, "stored": STORED}
    secrets |= {"password": PASSWORD, "enable": ENABLE, "wrong password": WRONG, "bob's password": BOB.password}
    places = {**tables, **files, "answers": b"\n".join(answers), **{p.name: p.read_bytes() for p in logs.iterdir()}}
    return Remains(secrets, places)


def _referred(stack: Stack, lab: LabProcess, vault: VaultServer) -> dict[str, str]:
    """Logins from Vault, rotated, and from our own store; keys, made and rotated: the texts that may be shown once."""
    device = lab.devices[0]
    where = {"device_type": "cisco_ios", "host": device.host, "port": device.port}
    post = stack.http.post

    def run(ref: object, status: str) -> None:
        body = {"driver": "netmiko", "connection_args": where, "credential_ref": ref, "command": "show version"}
        assert stack.await_job(post("/device/execute", json=body).json()["data"])["status"] == status

    vault.put("sites/lab", {"username": lab.username, "password": BEFORE})
    run("sites/lab", "failed")
    vault.put("sites/lab", {"username": lab.username, "password": PASSWORD})
    lab.set_faults(device, NonUtf8(raw_hex=PASSWORD.encode().hex()))  # it tells
    run("sites/lab", "finished")
    lab.clear_faults(device)
    run({"path": "sites/lab", "password_key": "nothing"}, "failed")
    created = {"path": "own", "username": lab.username, "password": STORED}
    assert post("/credential/local/create", json=created).status_code == 200
    run({"provider": "local", "path": "own"}, "failed")
    for provider, path in (("local", "own"), ("vault", "sites/lab")):
        for action in ("read", "metadata"):
            assert post(f"/credential/{provider}/{action}", json={"path": path}).status_code == 200
        assert post(f"/credential/{provider}/batch-read", json={"paths": [path]}).status_code == 200
        assert post(f"/credential/{provider}/test", json={}).status_code == 200
    assert post("/credential/local/create", json={**created, "password": [STORED]}).status_code == 400
    listening, stack.http.event_hooks["response"] = stack.http.event_hooks["response"], []  # it shows what it must
    key = post("/key", json={"name": "someone", "scopes": ["read"]}).json()["data"]["key"]
    other = post("/key/someone/rotate", json={}).json()["data"]["key"]
    stack.http.event_hooks["response"] = listening
    for text in (key, other):
        assert stack.http.get("/worker", headers={"X-API-KEY": text}).status_code in (200, 403)
        assert post("/device/execute", json={}, headers={"X-API-KEY": text}).status_code == 403
    for page in ("/key", "/audit", "/docs/openapi.json"):
        assert stack.http.get(page).status_code == 200
    return {"key": key, "rotated key": other}


def _run(stack: Stack, lab: LabProcess) -> None:
    """Jobs that go well, jobs that fail in every way, requests that are refused."""
    good, refusing, stalled, dropped, strange, enabled, crashed, _ = lab.devices
    stack.run(good, config=["interface Loopback0", f"description {MARK}"], driver_args={"save": True})
    stack.run(good, command=["show version", f"show running-config | include {MARK}"])
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
    "place",
    [
        *("netpulse.job", "netpulse.job_output", "netpulse.output_text"),
        *("pg_wal", "base", "answers", "worker-1.log", "api.log"),
    ],
)
def test_the_search_sees_what_is_there(remains: Remains, place: str) -> None:
    """A search that cannot find anything would prove nothing."""
    sought = {"worker-1.log": b"job.failed", "api.log": b"/device/execute"}.get(place, MARK.encode())
    assert any(sought in content for name, content in remains.places.items() if place in name), list(remains.places)


def test_the_sealed_login_was_there_and_is_gone_with_its_job(remains: Remains) -> None:
    token = b"gAAAAA"  # how a Fernet token begins
    assert token in remains.places["netpulse.credential_version"]
    assert token in remains.places["netpulse.job"]  # the job that the killed worker left
    assert remains.places["netpulse.job"].count(token) == 1
