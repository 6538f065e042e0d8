"""`netpulse demo`: a site with simulated devices, first results, and lines to paste."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from app.cli.site import Site, data_directory, site
from app.postgres.directories import own_directory
from app.supervisor import Service, StartFailed, Supervisor
from drivers.lab import LabDevice, LabProcess
from jobs.settings import load_settings

T = TypeVar("T")

LAB_HOST = "127.20.0.1"
ANSWER_WITHIN_S = 60
AT_ONCE = 20
CHANGE = ["interface Loopback0", "description made by netpulse demo", "ip address 192.0.2.1 255.255.255.255"]


class Interrupted(Exception):
    """A signal came during the first rounds."""


@dataclass(slots=True)
class Row:
    """A device's line in the table: seconds from submitting to seeing the result."""

    device: LabDevice
    first_s: float | None = None
    warm_s: float | None = None
    answer: str = ""


def run_demo(devices: int, lab_port: int) -> None:
    """Run until Ctrl-C. Raises SettingsError, PostgresError, StartFailed."""
    began = time.perf_counter()
    settings = load_settings()
    console = Console()
    data = data_directory()
    own_directory(data)
    log_path = data / "demo.log"
    console.print(f"Starting PostgreSQL, API, worker and {devices} simulated devices (log: {log_path}) …")

    def ended(service: Service) -> None:
        console.print(f"[yellow]The {service.command} process ended and is started again; see {log_path}.[/]")

    # A fixed address for each device, so that a second start finds the history of the first; Linux only.
    linux = sys.platform == "linux"
    lab_process = LabProcess(devices, host=LAB_HOST if linux else "127.0.0.1", port=lab_port, spread=linux)
    with log_path.open("ab") as output, lab_process as lab, site(settings, output, ended) as running:
        tour = Tour(running, lab, console, began)
        with suppress(Interrupted):
            asyncio.run(tour.go(running.supervisor))
            tour.show_how_to_go_on(log_path)
            running.supervisor.watch()
        console.print("Stopping …")


class Tour:
    """The first rounds of jobs, as a client would post them."""

    def __init__(self, running: Site, lab: LabProcess, console: Console, began: float) -> None:
        self._url = running.url
        self._key = running.api_key
        self._lab = lab
        self._console = console
        self._began = began
        self._rows = [Row(device) for device in lab.devices]

    async def go(self, supervisor: Supervisor) -> None:
        """A cold round over all devices at once, a warm one, and a change. Raises StartFailed, Interrupted."""
        headers = {"X-API-KEY": self._key}
        async with httpx.AsyncClient(base_url=self._url, headers=headers, timeout=ANSWER_WITHIN_S + 5) as client:
            await _unless_stopped(supervisor, self._rounds(client))

    async def _rounds(self, client: httpx.AsyncClient) -> None:
        with Progress(console=self._console, transient=True) as progress:
            task = progress.add_task("show version, first time", total=len(self._rows))
            slots = asyncio.Semaphore(AT_ONCE)
            await asyncio.gather(*[self._first(client, row, slots, progress, task) for row in self._rows])
            task = progress.add_task("show version, warm", total=len(self._rows))
            for row in self._rows:
                row.warm_s, _ = await self._timed(client, row.device, {"command": "show version"})
                progress.advance(task)
        _, job = await self._timed(client, self._rows[0].device, {"config": CHANGE})
        self._show_table()
        self._show_change(job)

    async def _first(
        self, client: httpx.AsyncClient, row: Row, slots: asyncio.Semaphore, progress: Progress, task: TaskID
    ) -> None:
        async with slots:
            row.first_s, job = await self._timed(client, row.device, {"command": "show version"})
        output = job["result"]["retval"][0]["stdout"]
        row.answer = next((line for line in output.splitlines() if "uptime" in line), "")
        if progress.tasks[task].completed == 0:
            progress.console.print(f"First result after [bold]{time.perf_counter() - self._began:.1f} s[/].")
        progress.advance(task)

    async def _timed(
        self, client: httpx.AsyncClient, device: LabDevice, operation: dict[str, Any]
    ) -> tuple[float, dict[str, Any]]:
        """Seconds until the job's end was seen, and the job. Raises StartFailed if it did not finish."""
        began = time.perf_counter()
        body = self._body(device, operation)
        answer = await client.post("/device/execute", params={"wait": ANSWER_WITHIN_S}, json=body)
        job = answer.json()["data"] or {}
        if job.get("status") != "finished":
            raise StartFailed(f"a job on {device.name} did not finish: {answer.text[:500]}")
        return time.perf_counter() - began, job

    def _body(self, device: LabDevice, operation: dict[str, Any]) -> dict[str, Any]:
        login = {"username": self._lab.username, "password": self._lab.password, "secret": self._lab.secret}
        # Each start of the lab makes a new host key, at the addresses of the last one.
        where = {"device_type": "cisco_ios", "host": device.host, "port": device.port, "host_key_policy": "off"}
        connection = {**where, **login}
        return {"driver": "netmiko", "connection_args": connection, **operation}

    def _show_table(self) -> None:
        table = Table("device", "address", "first", "warm", "show version says")
        table.columns[-1].no_wrap = True
        for row in self._rows:
            assert row.first_s is not None
            assert row.warm_s is not None
            address = f"{row.device.host}:{row.device.port}"
            first, warm = f"{row.first_s * 1000:.0f} ms", f"{row.warm_s * 1000:.1f} ms"
            table.add_row(row.device.name, address, first, warm, row.answer[:40])
        self._console.print(table)

    def _show_change(self, job: dict[str, Any]) -> None:
        self._console.print(f"A change on {self._rows[0].device.name}: {job['status']}, line by line:")
        for entry in job["result"]["retval"]:
            self._console.print(f"  {entry['metadata']['verdict']:<8} {entry['command']}", markup=False)

    def show_how_to_go_on(self, log_path: Path) -> None:
        """The key, lines to paste, and where the documentation is. Plain text: nothing may wrap or colour them."""
        device = self._rows[-1].device
        lines = [
            "",
            f"API key: {self._key}",
            "",
            *self._curl_lines(device),
            "",
            f"Documentation: {self._url}/docs",
            f"Log: {log_path}",
            "Serving until Ctrl-C.",
        ]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()

    def _curl_lines(self, device: LabDevice) -> Iterable[str]:
        key = f"-H 'X-API-KEY: {self._key}'"
        post = f"curl -s {key} -H 'Content-Type: application/json'"
        query = json.dumps(self._body(device, {"command": "show ip interface brief"}))
        change = json.dumps(self._body(device, {"config": ["ntp server 192.0.2.123"]}))
        yield f"{post} -d '{query}' '{self._url}/device/execute?wait=10'"
        yield f"{post} -d '{change}' '{self._url}/device/execute'"
        yield f"curl -s {key} '{self._url}/job?host={device.host}&limit=5'"


async def _unless_stopped(supervisor: Supervisor, work: Awaitable[T]) -> T:
    """Await `work`, but raise Interrupted as soon as a signal came."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=0.1)
        if supervisor.stopping and not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise Interrupted
    return task.result()
