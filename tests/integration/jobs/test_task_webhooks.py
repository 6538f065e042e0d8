"""Webhooks of detached tasks on hosts in memory: which events their logs and ends make, and when."""

import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from drivers.base import TaskState
from jobs.database import Pool
from jobs.rotation import rotate
from jobs.seal import Seal, new_key
from jobs.task_logs import MOST_PIECES, PIECE_BYTES
from jobs.webhooks.options import Webhook
from tests.integration.jobs.conftest import Site
from tests.integration.jobs.test_tasks import KEY, PASSWORD, SEAL, Bench

pytestmark = pytest.mark.anyio

EXITED = TaskState("exited", 0)


@pytest.fixture
async def bench(site: Site, pool: Pool) -> Bench:
    return Bench(site, pool, await site.worker())


def hooked(**options: Any) -> dict[str, Any]:
    """What a request has for a webhook."""
    webhook = Webhook.model_validate({"url": "https://hooks.example/x", **options})
    public = webhook.model_dump(mode="json", exclude_unset=True)
    return {"options": {"webhook": public}, "sealed_webhook": SEAL.seal(webhook.revealed())}


async def events(bench: Bench) -> list[tuple[str, Any]]:
    """All events in order, with what they bring."""
    sql = "SELECT event_type, said, sealed FROM netpulse.webhook_delivery ORDER BY id"
    rows = await bench.site.connection.fetch(sql)
    for row in rows:
        assert Webhook.model_validate_json(SEAL.open(row["sealed"])).url.get_secret_value() == "https://hooks.example/x"
    return [(row["event_type"], row["said"] and _piece(row)) for row in rows]


def _piece(row: asyncpg.Record) -> tuple[int, int, str]:
    said = json.loads(row["said"]) if isinstance(row["said"], str) else row["said"]
    return said["offset"], said["next_offset"], said["text"]


async def look(bench: Bench, task_id: UUID) -> None:
    """A look as the chores have it done."""
    await bench.hours_pass(1)
    assert await bench.chores(retention_s=86_400) == 1
    assert (await bench.run()).state == "finished"


async def secrets(bench: Bench) -> int:
    return int(await bench.site.connection.fetchval("SELECT count(*) FROM netpulse.webhook_secret"))


async def test_lines_are_told_as_they_are_seen_and_the_end_once(bench: Bench) -> None:
    task_id = await bench.started(hooked())
    host = bench.on_host(task_id)
    host.log = b"one\ntw"
    await look(bench, task_id)
    await look(bench, task_id)
    assert await events(bench) == [("task.log", (0, 4, "one\n"))]
    host.log, host.state = b"one\ntwo \0" + PASSWORD.encode(), EXITED
    await look(bench, task_id)
    assert await events(bench) == [
        ("task.log", (0, 4, "one\n")),
        ("task.log", (4, len(host.log), "two \ufffd***")),
        ("task.ended", None),
    ]
    await bench.look(task_id, offset=0, size=9)
    await bench.act(task_id, "forget")
    await bench.run()
    assert (len(await events(bench)), await secrets(bench)) == (3, 0)
    assert "sealed_webhook" not in (await bench.task(task_id))["request"]


async def test_a_clients_look_tells_too(bench: Bench) -> None:
    task_id = await bench.started(hooked())
    bench.on_host(task_id).log = b"one\ntwo\n"
    assert (await bench.look(task_id, offset=4, size=2))[0] == "tw"
    assert (await events(bench), await secrets(bench)) == ([("task.log", (0, 8, "one\ntwo\n"))], 1)


async def test_the_end_waits_for_a_long_log(bench: Bench) -> None:
    task_id = await bench.started(hooked())
    host = bench.on_host(task_id)
    line = b"x" * (PIECE_BYTES // 2 - 1) + b"\n"
    host.log, host.state = line * 2 * MOST_PIECES + b"rest", EXITED
    await look(bench, task_id)
    told = await events(bench)
    assert ([name for name, _ in told], told[-1][1][1]) == (["task.log"] * MOST_PIECES, PIECE_BYTES * MOST_PIECES)
    assert (await bench.task(task_id))["state"] == "exited"
    await look(bench, task_id)
    told = await events(bench)
    assert [(name, piece and piece[2]) for name, piece in told[MOST_PIECES:]] == [
        ("task.log", "rest"),
        ("task.ended", None),
    ]
    assert [piece[0] for _, piece in told[1:-1]] == [piece[1] for _, piece in told[:-2]]  # no gaps
    await bench.hours_pass(1)
    assert await bench.chores(retention_s=86_400) == 0


async def test_a_log_that_nobody_takes_waits_on_its_host(bench: Bench) -> None:
    task_id = await bench.started(hooked())
    bench.on_host(task_id).log = (b"x" * (PIECE_BYTES - 1) + b"\n") * 100
    for _ in range(6):
        await look(bench, task_id)
    assert len(await events(bench)) == 64
    await bench.site.connection.execute(
        """UPDATE netpulse.webhook_delivery SET state = 'failed', next_at = NULL, failed_at = now()
            WHERE id IN (SELECT id FROM netpulse.webhook_delivery ORDER BY id LIMIT 1)"""
    )
    await look(bench, task_id)
    assert len(await events(bench)) == 65


async def test_only_what_is_wanted_is_told(bench: Bench) -> None:
    cases: dict[str, list[tuple[str, Any]]] = {"task.ended": [], "task.log": [("task.log", (0, 4, "one\n"))]}
    for wanted, told in cases.items():
        task_id = await bench.started(hooked(events=[wanted]))
        bench.on_host(task_id).log = b"one\n"
        await look(bench, task_id)
        assert await events(bench) == told
        bench.on_host(task_id).state = EXITED
        await look(bench, task_id)
        assert await events(bench) == (told or [("task.ended", None)])
        assert await secrets(bench) == 0
        await bench.site.connection.execute("DELETE FROM netpulse.webhook_delivery")


async def test_the_rest_of_a_log_is_told_before_it_is_removed(bench: Bench) -> None:
    task_id = await bench.started(hooked())
    bench.on_host(task_id).log = b"one"
    await bench.act(task_id, "stop")
    await bench.run()
    assert await events(bench) == [("task.log", (0, 3, "one")), ("task.ended", None)]


async def test_a_start_that_fails_is_an_end(bench: Bench) -> None:
    task_id = await bench.submitted(hooked())
    await bench.site.connection.execute("UPDATE netpulse.job SET expires_at = now()")
    await bench.site.connection.execute("SELECT netpulse.expire_jobs(10)")
    assert ((await bench.task(task_id))["state"], await events(bench)) == ("failed", [("task.ended", None)])


async def test_a_host_that_never_answers_again_keeps_no_end_back(bench: Bench) -> None:
    task_id = await bench.started(hooked())
    bench.on_host(task_id).log = b"one\n"
    await bench.site.connection.execute(
        "UPDATE netpulse.detached_task SET ended_at = now(), state = 'lost', log_size = 4"
    )
    assert await events(bench) == []
    await bench.hours_pass(3)
    await bench.chores()
    assert (await events(bench), await secrets(bench)) == ([("task.ended", None)], 0)


async def test_two_looks_at_one_time_tell_once(bench: Bench) -> None:
    task_id = await bench.started(hooked())
    await bench.act(task_id, "look")
    job = await bench.claim()
    sql = "SELECT netpulse.tell_task_log($1, $2, $3, $4, $5, $6, false)"
    known = (sql, bench.world.queue.worker_id, job.id, task_id)
    ask = bench.site.connection.fetchval
    assert await ask(*known, None, None, "") == 0
    assert await ask(*known, 0, 4, "one\n") == 4
    assert await ask(*known, 0, 3, "one") == 4  # as if its answer was lost, or another looked
    assert await events(bench) == [("task.log", (0, 4, "one\n"))]
    await bench.site.reap(bench.world.queue.worker_id)
    assert await ask(*known, 4, 5, "t") is None


async def test_a_rotation_reaches_what_is_not_told_yet(bench: Bench, database: str) -> None:
    task_id = await bench.started(hooked())
    bench.on_host(task_id).log = b"one\n"
    await look(bench, task_id)
    new = Seal([new_key(), KEY])
    engine = create_async_engine(database.replace("postgresql:", "postgresql+asyncpg:"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        counts = {kind.name: count for kind, count in (await rotate(connection, new)).items()}
    await engine.dispose()
    assert [counts[name].resealed for name in ("webhooks of jobs", "webhooks that are due")] == [1, 1]
    await bench.site.connection.execute("UPDATE netpulse.detached_task SET ended_at = now(), state = 'lost'")
    rows = await bench.site.connection.fetch("SELECT sealed FROM netpulse.webhook_delivery ORDER BY id")
    assert [new.resealed(row["sealed"]) for row in rows] == [None, None]  # both are under the new key
