"""Files over HTTP, by a real worker, to and from a real SSH server."""

import json
import socket
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest

from app.access import AccessLog
from app.main import create_app
from jobs.settings import StorageSettings
from tests.integration.app.answers import failure, fault, success
from tests.integration.app.hosting import FILE, Site, hosting
from tests.integration.app.serving import KEY, InThread, body, client, settings
from tests.waiting import until

CONTENT = Random(5).randbytes(3 * 2**20 + 17)
SECRET_LINE = b"snmp-server community seen-by-nobody-else RO\n"


@pytest.fixture(scope="module")
def site(postgres_url: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with hosting(postgres_url, template, tmp_path_factory.mktemp("site")) as site:
        yield site


def multipart(*parts: tuple[str, str | bytes]) -> dict[str, Any]:
    """Arguments of httpx for a form of these parts."""
    return {"files": [(name, (name, content, FILE)) for name, content in parts]}


# ── with a host ──


def test_up_and_down_again(site: Site) -> None:
    job = success(site.upload("image.bin", CONTENT, name="C:\\images\\image v1.bin"), 201)
    assert job["result"]["error"] is None
    assert (site.home / "image.bin").read_bytes() == CONTENT
    [file] = job["files"]
    digest = sha256(CONTENT).hexdigest()
    assert file | {"id": ""} == {
        "id": "",
        "name": "image v1.bin",
        "size_bytes": len(CONTENT),
        "sha256": digest,
        "direction": "upload",
        "url": None,
    }
    failure(site.http.get(f"/storage/{file['id']}"), 404)  # an upload is for the device only

    job = success(site.download("image.bin"), 201)
    [file] = job["files"]
    assert (job["status"], file["sha256"], file["direction"]) == ("finished", digest, "download")
    answer = site.http.get(file["url"])
    assert (answer.status_code, answer.content == CONTENT) == (200, True)
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["etag"] == f'"{digest}"'
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''image.bin"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert [file["id"] for file in success(site.http.get(f"/job/{job['id']}"))["files"]] == [file["id"]]

    success(site.http.delete(file["url"]))
    failure(site.http.get(file["url"]), 404)
    assert success(site.http.get(f"/job/{job['id']}"))["files"][0]["url"] is None


def test_pieces_go_when_they_are_needed_no_more(site: Site) -> None:
    success(site.upload("conf.txt", SECRET_LINE), 201)
    assert (site.home / "conf.txt").read_bytes() == SECRET_LINE
    pieces = (
        "SELECT FROM netpulse.file_piece p JOIN netpulse.stored_file f ON f.id = p.file_id WHERE direction = 'upload'"
    )
    until(lambda: not site.rows(pieces), "the worker's chores sweep")


def test_what_the_host_says(site: Site) -> None:
    job = success(site.download("no-such-file"), 201)
    assert (job["status"], job["result"]["error"]["type"]) == ("failed", "CommandRejected")
    assert [(file["sha256"], file["url"]) for file in job["files"]] == [(None, None)]
    failure(site.http.get(f"/storage/{job['files'][0]['id']}"), 404)


def test_a_worker_that_dies_is_followed_by_one_that_goes_on(site: Site) -> None:
    (site.home / "big.bin").write_bytes(CONTENT * 20)
    growing = "SELECT id FROM netpulse.stored_file WHERE state = 'growing' AND size_bytes > 0"
    accepted = success(site.download("big.bin", wait=0), 201)
    until(lambda: site.rows(growing), "the download is under way")
    with site.host.frozen():
        [(file_id,)] = site.rows(growing)
        failure(site.http.get(f"/storage/{file_id}"), 409)
        failure(site.http.delete(f"/storage/{file_id}"), 409)
        site.worker.kill()
    site.replace_worker()
    until(lambda: ended(site, accepted["id"]), "another worker ends it", 90)
    job = success(site.http.get(f"/job/{accepted['id']}"))

    assert (job["status"], job["attempts"], job["result"]["error"]) == ("finished", 2, None)
    assert job["result"]["retval"][0]["parsed"]["resumed_at_bytes"] > 0
    assert site.http.get(f"/storage/{file_id}").content == CONTENT * 20


def test_the_same_key_and_file_give_the_first_job(site: Site) -> None:
    request = json.dumps(site.transfer("upload", "once.txt"))
    headers = {"Idempotency-Key": uuid4().hex}

    def send(content: bytes) -> httpx.Response:
        return site.http.post("/device/execute", headers=headers, **multipart(("request", request), ("file", content)))

    first = success(send(b"one"), 201)
    assert success(send(b"one"), 200)["id"] == first["id"]
    failure(send(b"two"), 409)
    orphans = "SELECT FROM netpulse.stored_file WHERE job_id IS NULL"
    until(lambda: not site.rows(orphans), "the refused files are swept")


def test_keys_are_needed(site: Site) -> None:
    with httpx.Client(base_url=site.served.url) as stranger:
        assert stranger.get(f"/storage/{uuid4()}").status_code == 403
        assert stranger.delete(f"/storage/{uuid4()}").status_code == 403
        assert stranger.post("/device/execute", **multipart(("request", "{}"), ("file", b"x"))).status_code == 403


# ── bodies that are refused ──

WISH = {"operation": "upload", "remote_path": "/srv/x"}
LOGIN = {"host": "192.0.2.1", "username": "admin", "password": "x"}
UPLOAD = json.dumps({"driver": "paramiko", "connection_args": LOGIN, "driver_args": {"file_transfer": WISH}})
GET_IT = UPLOAD.replace("upload", "download")


@pytest.mark.parametrize(
    ("parts", "loc", "word"),
    [
        ([("file", "x"), ("request", UPLOAD)], ["file"], "out of place"),
        ([("request", UPLOAD)], ["file"], "missing"),
        ([("file", "x")], ["file"], "out of place"),
        ([("request", UPLOAD), ("request", UPLOAD)], ["request"], "out of place"),
        ([("request", UPLOAD), ("file", "x"), ("file", "y")], ["file"], "out of place"),
        ([("request", UPLOAD), ("file", "x"), ("more", "y")], [], "unknown part"),
        ([("other", "x")], [], "unknown part"),
        ([("request", "{"), ("file", "x")], [], "not valid JSON"),
        ([("request", '{"driver": "paramiko", "driver": "netmiko"}'), ("file", "x")], [], "twice"),
        ([("request", GET_IT), ("file", "x")], ["file"], "for uploads only"),
        ([("request", json.dumps(body())), ("file", "x")], ["file"], "for uploads only"),
        (
            [("request", UPLOAD.replace('"operation"', '"local_path": "x", "operation"')), ("file", "x")],
            None,
            "unknown field",
        ),
    ],
)
def test_bad_forms(asking: httpx.Client, parts: list[tuple[str, str]], loc: list[str] | None, word: str) -> None:
    found = fault(asking.post("/device/execute", **multipart(*parts)))
    assert word in found["msg"]
    assert loc is None or found["loc"] == loc


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"no boundary"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="request"\r\n\r\n{}'),
        ("multipart/form-data; boundary=b", b"--b--\r\n"),
        ("multipart/form-data; boundary=b", b""),
    ],
)
def test_forms_that_are_none(asking: httpx.Client, content_type: str, content: bytes) -> None:
    fault(asking.post("/device/execute", content=content, headers={"Content-Type": content_type}))


def test_an_upload_needs_its_file(asking: httpx.Client) -> None:
    found = fault(asking.post("/device/execute", json=json.loads(UPLOAD)))
    assert (found["loc"], "multipart/form-data" in found["msg"]) == (["file"], True)


def test_one_operation_only(asking: httpx.Client) -> None:
    both = {**json.loads(GET_IT), "command": "id"}
    assert "exactly one of" in fault(asking.post("/device/execute", json=both))["msg"]


def test_a_driver_without_files(asking: httpx.Client) -> None:
    eapi = {**json.loads(GET_IT), "driver": "pyeapi"}
    assert fault(asking.post("/device/execute", json=eapi))["loc"] == ["driver_args", "file_transfer"]


def test_too_large_a_file_leaves_nothing(database: str) -> None:
    app = create_app(settings().model_copy(update={"storage": StorageSettings(max_bytes=1000)}), database)
    assert isinstance(app, AccessLog)
    with InThread(app) as served, client(served.url) as http:
        answer = http.post("/device/execute", **multipart(("request", UPLOAD), ("file", bytes(2_000_000))))
        assert "1,000 bytes" in failure(answer, 413)["message"]
        success(http.post("/device/execute", **multipart(("request", UPLOAD), ("file", bytes(1000)))), 201)
    [(jobs, growing)] = rows(
        database, "SELECT count(job_id), count(*) FILTER (WHERE state = 'growing') FROM netpulse.stored_file"
    )
    assert (jobs, growing) == (1, 0)


def test_a_client_that_goes_away_leaves_nothing(api: httpx.Client, database: str) -> None:
    part = 'Content-Disposition: form-data; name="{}"\r\n\r\n'
    head = f"--b\r\n{part.format('request')}{UPLOAD}\r\n--b\r\n{part.format('file')}".encode()
    announced = len(head) + 2**22
    with socket.create_connection((api.base_url.host, api.base_url.port or 80)) as connection:
        connection.sendall(
            f"POST /device/execute HTTP/1.1\r\nHost: x\r\nX-API-KEY: {KEY}\r\nContent-Length: {announced}\r\n"
            "Content-Type: multipart/form-data; boundary=b\r\n\r\n".encode()
            + head
            + bytes(2**20)
        )
        until(lambda: rows(database, "SELECT FROM netpulse.file_piece"), "a piece is stored")
    broken = "SELECT FROM netpulse.stored_file WHERE state = 'broken' AND expires_at <= now()"
    until(lambda: rows(database, broken), "the rest is given up")


def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(sql.encode()).fetchall()


# ── large files ──

LARGE = 64 * 2**20
FLAT = 48 * 2**20
"""Bytes by which the worker may grow meanwhile: a few pieces, and what 2 MB of open requests take."""


@pytest.mark.parametrize("operation", ["upload", "download"])
def test_a_large_file_is_interrupted_twice_and_memory_stays_flat(site: Site, operation: str) -> None:
    content = CONTENT * (LARGE // len(CONTENT) + 1)
    path = site.home / f"large-{operation}.bin"
    if operation == "download":
        path.write_bytes(content)
        accepted = success(site.download(path.name, wait=0), 201)
    else:
        accepted = success(site.upload(path.name, content, wait=0), 201)
    worker = psutil.Process(site.worker.pid)
    before, most = worker.memory_info().rss, 0

    def moved() -> int:
        """Bytes so far."""
        nonlocal most
        most = max(most, worker.memory_info().rss)
        if operation == "download":
            return sum(
                size for (size,) in site.rows("SELECT size_bytes FROM netpulse.stored_file WHERE state = 'growing'")
            )
        return sum(part.stat().st_size for part in site.home.glob(f"{path.name}.*.part"))

    for border in (LARGE // 8, LARGE // 4):
        until(partial(lambda border: moved() > border, border), "a part of the file has moved")
        site.host.kill_connections()
    until(lambda: moved() >= 0 and ended(site, accepted["id"]), "the transfer ends")
    job = success(site.http.get(f"/job/{accepted['id']}"))

    assert (job["status"], job["attempts"], job["result"]["error"]) == ("finished", 3, None), site.host.log[-2000:]
    assert job["result"]["retval"][0]["parsed"]["resumed_at_bytes"] > LARGE // 8
    assert sha256(path.read_bytes()).hexdigest() == job["files"][0]["sha256"] == sha256(content).hexdigest()
    assert most - before < FLAT, (before, most)


def ended(site: Site, job_id: str) -> bool:
    return success(site.http.get(f"/job/{job_id}"))["ended_at"] is not None
