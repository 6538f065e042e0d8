"""Detached tasks on hosts in memory: what the jobs about them do, and what their rows say."""

import base64
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from drivers.base import TaskState
from drivers.errors import LeaseLost
from drivers.pool import PoolLimits, SessionPool
from jobs.database import Pool
from jobs.queue import Claimed, JobQueue
from jobs.results import Outcome
from jobs.run import run_job
from jobs.seal import Seal, new_key
from jobs.world import World
from tests.integration.jobs.conftest import Site, new_job, queue_worker
from tests.integration.jobs.hosts import FakeTask, HostDriver

pytestmark = pytest.mark.anyio

KEY = new_key()
SEAL = Seal([KEY])
PASSWORD = "the-login-itself"
LOGIN = SEAL.seal(json.dumps({"connection_args": {"host": "h1", "password": PASSWORD}}))


class Bench:
    """A worker's world over one host, and one task."""

    def __init__(self, site: Site, pool: Pool, worker: int) -> None:
        self.site = site
        self.driver = HostDriver()
        drivers = {"host": self.driver}
        sessions = SessionPool(drivers, PoolLimits(), on_let_go=lambda _key: None)
        self.world = World(drivers, sessions, SEAL, JobQueue(pool, worker), lambda: None)

    async def submitted(self, request: Mapping[str, Any] = MappingProxyType({}), **fields: Any) -> UUID:
        """A task whose start is in the queue; `request`: what else its request has."""
        given = {"driver": "host", "strategy": "fifo", "operation": "task", "sealed": LOGIN}
        job = new_job("h1", **given, request={"command": ["sleep 9"], **request}, **fields)
        return UUID(str(await self.site.connection.fetchval("SELECT task_id FROM netpulse.submit_task($1)", job)))

    async def started(self, request: Mapping[str, Any] = MappingProxyType({})) -> UUID:
        """A task that runs."""
        task_id = await self.submitted(request)
        assert (await self.run()).state == "finished"
        return task_id

    async def act(self, task_id: UUID, action: str, **more: Any) -> UUID | None:
        sql = "SELECT netpulse.act_on_task($1, $2, 'tests')"
        job_id: UUID | None = await self.site.connection.fetchval(sql, task_id, {"action": action, **more})
        return job_id

    async def claim(self) -> Claimed:
        [job] = await self.world.queue.claim(queue_worker(self.world.queue.worker_id), 1)
        return job

    async def run(self) -> Outcome:
        """Claim a job and run it to its end, in the database too."""
        job = await self.claim()
        outcome = await run_job(self.world, job)
        assert await self.world.queue.finish([(job, outcome)]) == {job.id}
        return outcome

    async def look(self, task_id: UUID, **more: Any) -> tuple[str, dict[str, Any]]:
        """What a look says: text and facts."""
        await self.act(task_id, "look", **more)
        [reply] = (await self.run()).outputs
        return reply.stdout, reply.parsed

    async def task(self, task_id: UUID) -> asyncpg.Record:
        return await self.site.connection.fetchrow("SELECT * FROM netpulse.detached_task WHERE id = $1", task_id)

    async def chores(self, look_s: float = 60, retention_s: float = 3600) -> int:
        sql = "SELECT netpulse.look_after_tasks($1, $2, 100)"
        return int(await self.site.connection.fetchval(sql, look_s, retention_s))

    async def hours_pass(self, hours: int) -> None:
        """Everything about tasks was so much earlier."""
        await self.site.connection.execute(
            """UPDATE netpulse.detached_task SET look_at = look_at - $1 * interval '1 hour',
                      ended_at = ended_at - $1 * interval '1 hour'""",
            hours,
        )

    def on_host(self, task_id: UUID) -> FakeTask:
        return self.driver.host.tasks[str(task_id)]


@pytest.fixture
async def bench(site: Site, pool: Pool) -> Bench:
    return Bench(site, pool, await site.worker())


async def test_a_task_starts_once_and_runs(bench: Bench) -> None:
    task_id = await bench.submitted()
    assert (await bench.task(task_id))["state"] == "starting"
    outcome = await bench.run()
    task = await bench.task(task_id)

    assert (outcome.state, bench.on_host(task_id).command) == ("finished", "sleep 9")
    assert (task["state"], task["command"], task["error"]) == ("running", "sleep 9", None)
    assert task["started_at"] is not None


async def test_the_same_key_gives_the_first_task(bench: Bench) -> None:
    key: dict[str, Any] = {"idempotency_key": "k", "request_hashes": ["h"]}
    assert await bench.submitted(**key) == await bench.submitted(**key)
    assert await bench.site.connection.fetchval("SELECT count(*) FROM netpulse.detached_task") == 1


async def test_a_start_that_surely_failed_fails_the_task(bench: Bench) -> None:
    sealed = SEAL.seal('{"connection_args": {"host": "h1", "username": "refuse"}}')
    job = new_job("h1", driver="host", strategy="fifo", operation="task", sealed=sealed, request={"command": ["x"]})
    task_id = await bench.site.connection.fetchval("SELECT task_id FROM netpulse.submit_task($1)", job)
    await bench.run()
    task = await bench.task(task_id)

    assert (task["state"], task["error"], task["sealed"]) == ("failed", "Unreachable: refused", None)
    assert await bench.act(task_id, "look") is None


async def test_a_start_called_off_before_it_began_fails_the_task(bench: Bench) -> None:
    task_id = await bench.submitted()
    await bench.site.cancel(host="h1")

    assert (await bench.task(task_id))["state"] == "failed"


async def test_a_start_of_which_nothing_is_known_is_looked_at(bench: Bench) -> None:
    task_id = await bench.submitted()
    await bench.claim()
    await bench.site.connection.execute("SELECT netpulse.reap_worker($1, NULL, true)", bench.world.queue.worker_id)
    unknown = await bench.task(task_id)
    await bench.hours_pass(1)

    assert (unknown["state"], unknown["error"].partition(":")[0]) == ("starting", "WorkerLost")
    assert await bench.chores() == 1


async def test_a_task_that_waits_is_not_looked_at(bench: Bench) -> None:
    """Its host would call it lost."""
    task_id = await bench.submitted()
    await bench.hours_pass(1)

    assert (await bench.chores(), await bench.act(task_id, "look")) == (0, None)


async def test_a_look_brings_state_and_log(bench: Bench) -> None:
    task_id = await bench.started()
    bench.on_host(task_id).log = b"0123456789"

    assert await bench.look(task_id, offset=2, size=3) == (
        "234",
        {"state": "running", "exit_status": None, "log_size": 10, "next_offset": 5},
    )
    assert (await bench.task(task_id))["log_size"] == 10


async def test_letters_are_not_cut_and_bytes_are_not_lost(bench: Bench) -> None:
    task_id = await bench.started()
    task = bench.on_host(task_id)
    task.log = "aé€".encode()
    assert [(await bench.look(task_id, offset=0, size=size))[0] for size in (2, 3, 5, 6)] == ["a", "aé", "aé", "aé€"]
    text, facts = await bench.look(task_id, offset=2, size=1)  # the second byte of é: no letter, and not lost
    assert (text, base64.b64decode(facts["log_base64"]), facts["next_offset"]) == ("\ufffd", b"\xa9", 3)
    task.log = b"\xc3"
    assert (await bench.look(task_id, offset=0, size=9))[1]["next_offset"] == 1  # alone: it must come on
    task.log = b"a\0b"
    assert base64.b64decode((await bench.look(task_id, offset=0, size=9))[1]["log_base64"]) == b"a\0b"


async def test_a_log_does_not_tell_the_login(bench: Bench) -> None:
    task_id = await bench.started()
    bench.on_host(task_id).log = f"\xff {PASSWORD}!".encode("latin-1")
    text, facts = await bench.look(task_id, offset=0, size=99)

    assert (text, base64.b64decode(facts["log_base64"])) == ("\ufffd ***!", b"\xff ***!")
    assert facts["next_offset"] == facts["log_size"]


async def test_a_look_that_waits_ends_with_the_task(bench: Bench) -> None:
    task_id = await bench.started()
    bench.on_host(task_id).state = TaskState("exited", 3)
    _, facts = await bench.look(task_id, offset=0, size=10, wait_s=30)
    task = await bench.task(task_id)

    assert (facts["state"], facts["exit_status"]) == ("exited", 3)
    assert (task["state"], task["exit_status"], task["sealed"] is None) == ("exited", 3, False)


async def test_a_running_task_is_stopped_and_an_ended_one_is_not(bench: Bench) -> None:
    running, ended = await bench.started(), await bench.started()
    bench.on_host(ended).state = TaskState("exited", 0)
    for task_id in (running, ended):
        await bench.act(task_id, "stop")
        await bench.run()

    assert [(await bench.task(task_id))["state"] for task_id in (running, ended)] == ["stopped", "exited"]


async def test_what_is_forgotten_leaves_no_login(bench: Bench) -> None:
    task_id = await bench.started()
    await bench.act(task_id, "stop")
    await bench.run()
    await bench.act(task_id, "forget")
    await bench.run()
    task = await bench.task(task_id)

    assert (task["state"], task["sealed"], bench.driver.host.tasks) == ("stopped", None, {})


async def test_ends_are_noticed_without_a_client(bench: Bench) -> None:
    task_id = await bench.started()
    bench.on_host(task_id).state = TaskState("exited", 0)
    assert await bench.chores() == 0
    await bench.hours_pass(1)
    assert (await bench.chores(), await bench.chores()) == (1, 0)
    await bench.run()

    assert (await bench.task(task_id))["state"] == "exited"


async def test_an_ended_tasks_remains_are_removed_in_time(bench: Bench) -> None:
    task_id = await bench.started()
    await bench.act(task_id, "stop")
    await bench.run()
    assert await bench.chores() == 0
    await bench.hours_pass(2)
    assert await bench.chores(retention_s=4000) == 1
    await bench.run()

    assert ((await bench.task(task_id))["sealed"], bench.driver.host.tasks) == (None, {})


async def test_an_ended_tasks_login_is_wiped_whatever_its_host_says(bench: Bench) -> None:
    task_id = await bench.started()
    await bench.act(task_id, "stop")
    await bench.run()
    await bench.hours_pass(3)
    await bench.chores()

    assert (await bench.task(task_id))["sealed"] is None


async def test_a_refused_login_is_not_tried_again_unasked(bench: Bench) -> None:
    task_id = await bench.started()
    await bench.act(task_id, "look")
    job = await bench.claim()
    result = {"id": str(job.id), "state": "failed", "error_type": "AuthenticationFailed", "error_message": "refused"}
    finish = "SELECT netpulse.finish_jobs($1, $2, '[]')"
    await bench.site.connection.fetchval(finish, bench.world.queue.worker_id, [{**result, "extra_attempts": 0}])
    await bench.hours_pass(24)
    task = await bench.task(task_id)

    assert (task["state"], task["error"], task["look_at"]) == ("running", "AuthenticationFailed: refused", None)
    assert await bench.chores() == 0


async def test_a_look_of_a_lost_worker_counts_for_nothing(bench: Bench) -> None:
    task_id = await bench.started()
    bench.on_host(task_id).state = TaskState("exited", 0)
    await bench.act(task_id, "look")
    job = await bench.claim()
    await bench.site.reap(bench.world.queue.worker_id)
    with pytest.raises(LeaseLost):
        await run_job(bench.world, job)

    assert (await bench.task(task_id))["state"] == "running"
