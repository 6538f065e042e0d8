"""A site with a real host: the application in a thread, a worker as a process, and an OpenSSH server."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests import postgres
from tests.integration.app.serving import KEY, SEAL_KEY, InThread, in_thread
from tests.process import Process
from tests.sshd import Sshd, sshd, user
from tests.waiting import until

PROMPT = {"NETPULSE_WORKER__BEAT_S": "0.3", "NETPULSE_WORKER__POLL_S": "0.2", "NETPULSE_TASKS__LOOK_S": "1"}
FILE = "application/octet-stream"


@dataclass
class Site:
    """What a test has of it."""

    http: httpx.Client
    served: InThread
    host: Sshd
    url: str
    directory: Path
    worker: Process
    settings: Mapping[str, str]
    """Further ones of the worker."""

    @property
    def home(self) -> Path:
        """Where the host's commands and files are."""
        return self.host.folder / "home"

    def body(self, **fields: Any) -> dict[str, Any]:
        """A request for the host."""
        login = {"host": "127.0.0.1", "port": self.host.port, "username": user(), "pkey": self.host.key.read_text()}
        return {"driver": "paramiko", "connection_args": login, **fields}

    def transfer(self, operation: str, path: str, **wishes: Any) -> dict[str, Any]:
        """A request to move the file at `path` below the home."""
        wish = {"operation": operation, "remote_path": str(self.home / path), **wishes}
        return self.body(driver_args={"file_transfer": wish})

    def upload(self, path: str, content: bytes, *, wait: float = 30, name: str = "client.bin") -> httpx.Response:
        """Ask for an upload, as browsers and curl do it."""
        request = json.dumps(self.transfer("upload", path)).encode()
        parts = {"request": ("", request, "application/json"), "file": (name, content, FILE)}
        return self.http.post(f"/device/execute?wait={wait}", files=parts)

    def download(self, path: str, *, wait: float = 30) -> httpx.Response:
        return self.http.post(f"/device/execute?wait={wait}", json=self.transfer("download", path))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.encode()).fetchall()

    def rows_changed(self, sql: str) -> None:
        """Run a statement that changes rows."""
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.encode())

    def replace_worker(self) -> None:
        """Kill the worker; another one takes over."""
        self.worker.kill()
        self.worker = start_worker(self.url, self.directory, self.settings)


def start_worker(url: str, directory: Path, settings: Mapping[str, str]) -> Process:
    """A worker that beats."""
    environment = {**os.environ, "DATABASE_URL": url, "NETPULSE_SECRET_KEYS": SEAL_KEY, **PROMPT, **settings}
    worker = Process(
        "worker", {**environment, "NETPULSE_WORKER__DEAD_S": "3", "NETPULSE_WORKER__FENCE_S": "2"}, directory
    )

    def live() -> bool:
        assert worker.running, worker.text()
        with psycopg.connect(url) as connection:
            sql = "SELECT FROM netpulse.worker WHERE pid = %s AND state = 'live' AND beat > 0"
            return bool(connection.execute(sql, [worker.pid]).fetchall())

    until(live, "the worker is live")
    return worker


@contextmanager
def hosting(postgres_url: str, template: str, directory: Path, **settings: str) -> Iterator[Site]:
    """Start everything; it has ended afterwards. `settings`: further ones of the worker."""
    with (
        sshd(directory) as host,
        postgres.new_database(postgres_url, template) as url,
        in_thread(url) as (served, http),
    ):
        site = Site(http, served, host, url, directory, start_worker(url, directory, settings), settings)
        assert http.headers["X-API-KEY"] == KEY
        try:
            yield site
        finally:
            site.worker.end()
