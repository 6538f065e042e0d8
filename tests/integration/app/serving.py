"""The HTTP application served for tests: in a thread, to be looked into, or as the process that sites run."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import uvicorn

from app.access import AccessLog
from app.main import create_app
from app.services import Services
from jobs.seal import new_key
from jobs.settings import ServerSettings, Settings
from tests.integration.postgres.processes import await_true
from tests.ports import free_port

T = TypeVar("T")

KEY = "the-tests-own-key-8265"
SECRET = "Qx7-secret-of-the-tests"
SEAL_KEY = new_key()
NAME = "X-API-KEY"
ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 30.0


def body(**changes: Any) -> dict[str, Any]:
    """A valid request, with `changes`; a field changed to None is left out."""
    connection = {"device_type": "cisco_ios", "host": "192.0.2.1", "username": "admin", "password": SECRET}
    whole = {"driver": "netmiko", "connection_args": connection, "command": "show version", **changes}
    return {name: value for name, value in whole.items() if value is not None}


def connection(**changes: Any) -> dict[str, Any]:
    """Its `connection_args`, with `changes`."""
    args: dict[str, Any] = body()["connection_args"]
    return args | changes


def settings(**server: Any) -> Settings:
    """Settings of a service; `server` are fields of its server group."""
    given = {"api_key": KEY, "database_connections": 4, **server}
    return Settings(secret_keys=(SEAL_KEY,), server=ServerSettings.model_validate(given))


def client(url: str, **headers: str) -> httpx.Client:
    """A client with the key, unless told otherwise by `headers`."""
    return httpx.Client(base_url=url, headers={NAME: KEY, **headers}, timeout=TIMEOUT_S)


class InThread:
    """The application under uvicorn in a thread of its own."""

    def __init__(self, app: AccessLog) -> None:
        state: Any = app.app
        self.services: Services = state.state.services
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on"))
        self._thread = threading.Thread(target=self._run)
        self._loop: asyncio.AbstractEventLoop | None = None

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._server.serve())

    def __enter__(self) -> "InThread":
        self._thread.start()
        await_true(lambda: self._server.started or not self._thread.is_alive(), "uvicorn did not start")
        assert self._server.started
        return self

    def __exit__(self, *raised: object) -> None:
        self._server.should_exit = True
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive(), "uvicorn did not stop"

    @property
    def port(self) -> int:
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work` in the server's loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    def tasks(self) -> int:
        """Tasks that the server's loop has now."""
        assert self._loop is not None
        return len(asyncio.all_tasks(self._loop))


@contextmanager
def in_thread(url: str, **server: Any) -> Iterator[tuple[InThread, httpx.Client]]:
    """The application on the database at `url`, and a client of it."""
    app = create_app(settings(**server), url)
    assert isinstance(app, AccessLog)
    with InThread(app) as served, client(served.url) as asking:
        yield served, asking


class AsProcess:
    """`netpulse api`, with its log in a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    def log(self) -> str:
        """Everything that it has logged."""
        return self._log.read_text()

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/live").is_success
        except httpx.TransportError:
            return False


@contextmanager
def as_process(url: str, log: Path, **environment: str) -> Iterator[AsProcess]:
    """Start `netpulse api` on the database at `url`; it has ended afterwards."""
    port = free_port()
    ours = {
        "DATABASE_URL": url,
        "NETPULSE_SECRET_KEYS": SEAL_KEY,
        "NETPULSE_SERVER__API_KEY": KEY,
        "NETPULSE_SERVER__PORT": str(port),
        **environment,
    }
    command = [sys.executable, "-m", "app.cli", "api"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**os.environ, **ours}, cwd=ROOT, stdout=output, stderr=output)
    served = AsProcess(process, port, log)
    try:
        await_true(lambda: served.answers() or process.poll() is not None, "netpulse api did not start")
        assert process.poll() is None, served.log()
        yield served
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


def connections_to(port: int) -> int:
    """Established TCP connections of this process to `port`."""
    found = psutil.Process().net_connections("tcp")
    return sum(item.status == psutil.CONN_ESTABLISHED and item.raddr and item.raddr.port == port for item in found)
