"""A NetPulse site as its users run it: `netpulse api` and `netpulse worker` as processes, on a database of the test's.

    with Stack(database, tmp_path, lab) as stack:
        job = stack.run(lab.devices[0], command="show version")

Jobs go in and out by HTTP. The processes can be killed, frozen and replaced by pid, and end with the test.
"""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg
from psycopg.rows import dict_row

from drivers.lab import LabDevice, LabProcess
from jobs.seal import new_key
from tests.ports import free_port
from tests.process import Process
from tests.waiting import DEADLINE_S, until

Job = dict[str, Any]
Row = dict[str, Any]

ENDED = ("finished", "failed", "cancelled")

PROMPT = {
    "NETPULSE_WORKER__BEAT_S": "0.5",
    "NETPULSE_WORKER__POLL_S": "0.5",
    "NETPULSE_WORKER__DRAIN_S": "20",
}
"""Settings of every stack: a site's own, with less patience."""

SHORT_LIVED = {
    "NETPULSE_WORKER__BEAT_S": "0.3",
    "NETPULSE_WORKER__FENCE_S": "2",
    "NETPULSE_WORKER__DEAD_S": "3",
}
"""For tests in which workers die: they are found dead after 3 seconds."""


class Stack:
    """One API process and any number of workers on the database at `database_url`.

    `settings` are environment variables on top of PROMPT. `http` is a client that brings the API key; `lab` gives the
    login that `submit` uses. Logs are kept in `directory`, one file per process.
    """

    def __init__(
        self,
        database_url: str,
        directory: Path,
        lab: LabProcess,
        *,
        settings: Mapping[str, str] | None = None,
        workers: int = 1,
    ) -> None:
        self.database_url = database_url
        self.lab = lab
        self.api_key = secrets.token_urlsafe(24)
        self.secret_key = new_key()
        self.processes: list[Process] = []
        self._directory = directory
        self._to_start = workers
        self._port = free_port()
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NETPULSE_")},
            "DATABASE_URL": database_url,
            "NETPULSE_SECRET_KEYS": self.secret_key,
            "NETPULSE_SERVER__API_KEY": self.api_key,
            "NETPULSE_SERVER__PORT": str(self._port),
            **PROMPT,
            **(settings or {}),
        }
        headers = {"X-API-KEY": self.api_key}
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", headers=headers, timeout=75)

    def __enter__(self) -> Self:
        try:
            self.api = self._spawn("api")
            workers = [self._spawn(f"worker-{number + 1}") for number in range(self._to_start)]
            self.await_api()
            for worker in workers:
                self.await_live(worker)
        except BaseException:  # an interrupt too must leave nothing running
            self.close()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process, workers first."""
        self.http.close()
        for process in reversed(self.processes):
            process.end()

    # ── processes ──

    @property
    def workers(self) -> list[Process]:
        """The worker processes that run, oldest first."""
        return [process for process in self.processes if process.name != "api" and process.running]

    @property
    def worker(self) -> Process:
        """The only worker."""
        [worker] = self.workers
        return worker

    def start_worker(self, settings: Mapping[str, str] | None = None, *, live: bool = True) -> Process:
        """One more worker, with `live` once it is so in the database. `settings` are its own."""
        number = sum(process.name != "api" for process in self.processes) + 1
        worker = self._spawn(f"worker-{number}", settings)
        if live:
            self.await_live(worker)
        return worker

    def restart_api(self, settings: Mapping[str, str] | None = None) -> None:
        """SIGTERM, and another one; see `await_api`. `settings` are its own."""
        self.api.terminate()
        self.api.wait()
        self.api = self._spawn("api", settings)

    def await_api(self) -> None:
        """Return when the API is ready."""
        until(self._ready, f"the API is ready; its log:\n{self.api.text()}")

    def await_live(self, worker: Process) -> int:
        """The id of `worker`'s incarnation, once it beats."""
        sql = "SELECT id FROM netpulse.worker WHERE pid = %s AND state = 'live' AND beat > 0 ORDER BY id DESC"

        def look() -> list[Row]:
            assert worker.running, f"{worker.name} ended:\n{worker.text()}"
            return self.rows(sql, worker.pid)

        return int(until(look, f"{worker.name} is live")[0]["id"])

    def _spawn(self, name: str, settings: Mapping[str, str] | None = None) -> Process:
        process = Process(name, {**self._environment, **(settings or {})}, self._directory)
        self.processes.append(process)
        return process

    def _ready(self) -> bool:
        assert self.api.running, f"the API ended:\n{self.api.text()}"
        with suppress(httpx.TransportError):
            return self.http.get("/health/ready").status_code == 200
        return False

    # ── jobs ──

    def body(
        self,
        device: LabDevice,
        *,
        command: str | list[str] | None = None,
        config: str | list[str] | None = None,
        connection: Mapping[str, Any] | None = None,
        **extra: Any,
    ) -> Job:
        """A request's body; `connection` overrides the login, `extra` are options and driver_args."""
        login = {"username": self.lab.username, "password": self.lab.password, "secret": self.lab.secret}
        where = {"device_type": "cisco_ios", "host": device.host, "port": device.port}
        operation = {"command": command} if command is not None else {"config": config}
        return {"driver": "netmiko", "connection_args": {**where, **login, **(connection or {})}, **operation, **extra}

    def submit(self, device: LabDevice, **request: Any) -> Job:
        """Post a job (see `body`); returns what the API accepted."""
        answer = self.http.post("/device/execute", json=self.body(device, **request))
        assert answer.status_code == 201, answer.text
        job: Job = answer.json()["data"]
        return job

    def job(self, job: Job | str) -> Job:
        """The job as it is."""
        return self._data(self.http.get(f"/job/{_id(job)}"))

    def await_job(self, job: Job | str, timeout_s: float = DEADLINE_S) -> Job:
        """The job, once it has ended."""
        seen = self._data(self.http.get(f"/job/{_id(job)}", params={"wait": timeout_s}))
        assert seen["status"] in ENDED, f"{_id(job)} did not end: {seen}"
        return seen

    def await_started(self, job: Job | str) -> Job:
        """The job, once a worker has it."""
        return until(lambda: seen if (seen := self.job(job))["status"] != "queued" else None, "the job starts")

    def run(self, device: LabDevice, **request: Any) -> Job:
        """Submit and await."""
        return self.await_job(self.submit(device, **request))

    def cancel(self, job: Job | str, *, force: bool = False) -> Job:
        """Call a job off."""
        return self._data(self.http.delete("/job", params={"id": _id(job), "force": force}))

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """What PostgreSQL says."""
        with psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(sql, values).fetchall()

    def _data(self, answer: httpx.Response) -> Job:
        assert answer.status_code == 200, answer.text
        data: Job = answer.json()["data"]
        return data


def error_of(job: Job) -> str | None:
    """The type of a job's error."""
    error = job["result"]["error"]
    return error and str(error["type"])


def outputs_of(job: Job) -> list[str]:
    """What the device said to each line."""
    return [entry["stdout"] for entry in job["result"]["retval"]]


def _id(job: Job | str) -> str:
    return job if isinstance(job, str) else str(job["id"])
