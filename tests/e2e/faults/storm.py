"""One storm: workers, devices and jobs, while processes die and PostgreSQL comes and goes.

The main thread does the damage (PostgreSQL is started from it); threads submit. What the devices received is recorded
by the lab, which nothing of this touches.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx
import psycopg

from app import migrations
from app.postgres import EmbeddedPostgres
from drivers.lab import LabDevice, LabProcess
from tests.process import Process
from tests.stack import Stack
from tests.waiting import until

DATABASE = "storm"

TIMINGS = {
    "NETPULSE_WORKER__BEAT_S": "0.4",
    "NETPULSE_WORKER__POLL_S": "0.5",
    "NETPULSE_WORKER__FENCE_S": "2.5",
    "NETPULSE_WORKER__DEAD_S": "4",
    "NETPULSE_WORKER__DRAIN_S": "10",
    "NETPULSE_LOG__LEVEL": "WARNING",
}
"""A site's own times are five times as long; the order of the three matters, not their length."""

DEVICE_LOG = """
CREATE TABLE device_log (key text, worker_id bigint, epoch bigint);
CREATE FUNCTION log_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO device_log VALUES (NEW.key, NEW.worker_id, NEW.epoch);
    RETURN NULL;
END $$;
CREATE TRIGGER log_device AFTER INSERT OR UPDATE ON netpulse.device FOR EACH ROW EXECUTE FUNCTION log_device();
"""
"""Who held which device in which epoch, for the proof."""


@dataclass(frozen=True)
class Plan:
    """How much of everything. Times are seconds."""

    seed: int
    devices: int = 30
    jobs: int = 400
    workers: int = 3
    submitters: int = 6
    rate: float = 60
    """Submissions per second, all submitters together."""
    command_ms: float = 150
    """What a device takes for a command, in milliseconds."""
    pause_s: tuple[float, float] = (0.3, 1.2)
    """Between two acts of damage."""
    absence_s: float = 0
    """Once in the middle PostgreSQL is away for so long."""
    settle_s: float = 120
    """How long the rest may take once the damage is over."""


@dataclass
class Task:
    """A job to submit; its marker is what the device will record."""

    key: str
    device: LabDevice
    sequence: int
    change: bool
    fifo: bool
    job_id: str | None = None

    @property
    def marker(self) -> str:
        return f"storm-{self.key}"


@dataclass
class Storm:
    """A storm that is over: what was asked for, and where to look."""

    plan: Plan
    tasks: list[Task] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    duplicates: int = 0


def make_tasks(plan: Plan, devices: tuple[LabDevice, ...], random: Random) -> list[Task]:
    """A quarter changes, a tenth fifo queries; the pinned jobs of a device are numbered."""
    tasks = []
    sequences = dict.fromkeys(devices, 0)
    for number in range(plan.jobs):
        device = random.choice(devices)
        change = random.random() < 0.25
        fifo = not change and random.random() < 0.13
        if not fifo:
            sequences[device] += 1
        tasks.append(Task(f"{plan.seed}-{number:05d}", device, sequences[device], change, fifo))
    return tasks


class Weather:
    """Starts everything, does the damage, waits until all jobs have ended."""

    def __init__(self, plan: Plan, directory: Path, server: EmbeddedPostgres, lab: LabProcess) -> None:
        self._plan = plan
        self._random = Random(plan.seed)
        self._server = server
        self._lab = lab
        self._stack = Stack(server.url(DATABASE), directory, lab, settings=TIMINGS, workers=plan.workers)
        self.storm = Storm(plan, make_tasks(plan, lab.devices, self._random))

    def run(self) -> Storm:
        """The whole of it. The database is left for the proof."""
        with self._stack, ThreadPoolExecutor(self._plan.submitters) as threads:
            began = time.monotonic()
            shares = [threads.submit(self._submit_share, number) for number in range(self._plan.submitters)]
            self._do_damage(shares, began)
            for share in shares:
                share.result()
            self._keep_workers()
            self._await_the_end()
        return self.storm

    # ── load ──

    def _submit_share(self, number: int) -> None:
        """Submit the tasks of some devices, each device's in order, at this thread's part of the rate."""
        random = Random(f"{self._plan.seed}/{number}")
        own = {device for index, device in enumerate(self._lab.devices) if index % self._plan.submitters == number}
        tasks = [task for task in self.storm.tasks if task.device in own]
        headers = {"X-API-KEY": self._stack.api_key}
        pause = self._plan.submitters / self._plan.rate
        with httpx.Client(base_url=self._stack.http.base_url, headers=headers, timeout=20) as client:
            for task in tasks:
                task.job_id = self._submit(client, task)
                if random.random() < 0.05:
                    assert self._submit(client, task) == task.job_id
                    self.storm.duplicates += 1
                time.sleep(pause * random.uniform(0.5, 1.5))

    def _submit(self, client: httpx.Client, task: Task) -> str:
        """Post with the task's idempotency key until it is accepted."""
        body = self._body(task)

        def post() -> str | None:
            with suppress(httpx.TransportError):
                answer = client.post("/device/execute", json=body, headers={"Idempotency-Key": task.key})
                if answer.status_code in (200, 201):
                    return str(answer.json()["data"]["id"])
                assert answer.status_code == 503, answer.text
            return None

        return until(post, f"{task.key} is accepted", 90) or ""

    def _body(self, task: Task) -> dict[str, object]:
        options = {"ttl": 600, "execution_timeout": 60, "queue_strategy": "fifo" if task.fifo else "pinned"}
        if task.change:
            lines = [f"snmp-server location {task.marker}", f"logging host {task.marker}"]
            return self._stack.body(task.device, config=lines, options=options)
        return self._stack.body(
            task.device, command=f"show version | include {task.marker}-{task.sequence}", options=options
        )

    # ── damage ──

    def _do_damage(self, shares: list[Future[None]], began: float) -> None:
        acts: list[Callable[[], str]] = [
            self._kill,
            self._kill,
            self._kill,
            self._terminate,
            self._freeze,
            self._cut,
            self._restart,
        ]
        absent = self._plan.absence_s == 0
        while not all(share.done() for share in shares):
            time.sleep(self._random.uniform(*self._plan.pause_s))
            halfway = time.monotonic() - began > self._plan.jobs / self._plan.rate / 2
            act = self._random.choice(acts)
            if halfway and not absent:
                absent, act = True, self._leave
            self.storm.damage.append(act())
            self._keep_workers()

    def _kill(self) -> str:
        worker = self._victim()
        worker.kill()
        return f"kill -9 {worker.name}"

    def _terminate(self) -> str:
        worker = self._victim()
        worker.terminate()
        worker.wait(60)
        return f"SIGTERM {worker.name}"

    def _freeze(self) -> str:
        """Beyond the time after which others take over: it must write nothing when it wakes up."""
        worker = self._victim()
        worker.freeze()
        time.sleep(self._random.uniform(1, 8))
        worker.thaw()
        return f"SIGSTOP {worker.name}"

    def _cut(self) -> str:
        """Every connection of everybody, at whatever moment."""
        with psycopg.connect(self._server.url("postgres"), autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [DATABASE])
        return "connections cut"

    def _restart(self) -> str:
        self._server.stop()
        self._server.start()
        return "PostgreSQL restarted"

    def _leave(self) -> str:
        self._server.stop()
        time.sleep(self._plan.absence_s)
        self._server.start()
        return f"PostgreSQL away for {self._plan.absence_s:g} s"

    def _victim(self) -> Process:
        self._keep_workers()
        return self._random.choice(self._stack.workers)

    def _keep_workers(self) -> None:
        """As a site's supervisor would: what ended is started again."""
        while len(self._stack.workers) < self._plan.workers:
            self._stack.start_worker(live=False)

    # ── the end ──

    def _await_the_end(self) -> None:
        sql = "SELECT count(*) AS count FROM netpulse.job WHERE ended_at IS NULL"
        until(lambda: self._all_ended(sql), "every job has ended", self._plan.settle_s)

    def _all_ended(self, sql: str) -> bool:
        self._keep_workers()
        return bool(self._stack.rows(sql)[0]["count"] == 0)


def prepare(server: EmbeddedPostgres) -> None:
    """A migrated database that logs who holds what."""
    server.ensure_database(DATABASE)
    url = server.url(DATABASE)
    migrations.upgrade(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(DEVICE_LOG)
