"""What retention removes, and what it leaves alone."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from jobs.retention import BATCH, begin, keep_retention, preview, remove
from jobs.settings import RetentionSettings
from tests.integration.jobs.conftest import Connect, Site, new_job
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

FOR_EVER = {f"{name}_days": 0 for name in ("finished", "failed", "outputs", "versions", "files", "deliveries", "audit")}
LONG_AGO = 1000
"""Days."""


def keeping(**days: float) -> RetentionSettings:
    """Everything for ever, but what is given."""
    return RetentionSettings.model_validate(FOR_EVER | {"every_s": 1} | days)


async def old_job(site: Site, state: str = "finished", days: float = LONG_AGO, **columns: Any) -> UUID:
    """A job that was accepted and ended so many days ago."""
    fields = {
        "driver": "netmiko",
        "operation": "command",
        "device_key": "r1:22",
        "host": "r1",
        "zone": "default",
        "strategy": "pinned",
        "request": {},
        "submitted_by": "tests",
        "execution_timeout_s": 1,
        "state": state,
        **columns,
    }
    ended = (
        "now() - $1::double precision * interval '1 day'" if state in ("finished", "failed", "cancelled") else "NULL"
    )
    sql = f"""
        INSERT INTO netpulse.job (id, created_at, ended_at, {", ".join(fields)})
        SELECT netpulse.uuid7(at), at, {ended}, {", ".join(f"${n}" for n in range(2, len(fields) + 2))}
          FROM (SELECT now() - $1::double precision * interval '1 day' AS at) AS ago RETURNING id"""  # noqa: S608
    return UUID(str(await site.connection.fetchval(sql, days, *fields.values())))


async def output(site: Site, job: UUID, text: str, position: int = 0) -> None:
    """An output whose text has been there for long."""
    await site.connection.execute(
        "INSERT INTO netpulse.output_text (digest, body, first_seen_at)"
        " VALUES (sha256(convert_to($1, 'UTF8')), $1, now() - interval '1000 days') ON CONFLICT DO NOTHING",
        text,
    )
    await site.connection.execute(
        "INSERT INTO netpulse.job_output (job_id, position, command, verdict, digest)"
        " VALUES ($1, $2, 'show version', 'done', sha256(convert_to($3, 'UTF8')))",
        job,
        position,
        text,
    )


async def version(site: Site, job: UUID, text: str, days: float, command: str = "show run") -> None:
    """What a command said from so many days ago on; its text is there."""
    await site.connection.execute(
        "INSERT INTO netpulse.output_change (device_key, host, command, changed_at, job_id, position, digest)"
        " VALUES ('r1:22', 'r1', $1, now() - $2::double precision * interval '1 day', $3, 0,"
        " sha256(convert_to($4, 'UTF8')))",
        command,
        days,
        job,
        text,
    )


async def delivery(site: Site, job: UUID, state: str = "delivered", days: float = LONG_AGO, **columns: Any) -> None:
    over = {"delivered": "delivered_at", "failed": "failed_at"}.get(state, "next_at")
    fields = {"job_id": job, "event_type": "job.completed", "url": "***", "receiver": "none", "state": state, **columns}
    sql = f"""
        INSERT INTO netpulse.webhook_delivery (id, created_at, {over}, {", ".join(fields)})
        SELECT netpulse.uuid7(at), at, at, {", ".join(f"${n}" for n in range(2, len(fields) + 2))}
          FROM (SELECT now() - $1::double precision * interval '1 day' AS at) AS ago"""  # noqa: S608
    await site.connection.execute(sql, days, *fields.values())


async def swept(connect: Connect, size: int = BATCH, **days: float) -> dict[str, int]:
    """What a round removed of each kind; its preview said the same."""
    connection = await connect()
    foreseen = {found.kind: found.count for found in await preview(connection, keeping(**days)) if found.count}
    round_id = await begin(connection, "tests")
    assert round_id is not None
    removed: dict[str, int] = {}
    async for batch in remove(connection, keeping(**days), round_id, size):
        removed[batch.kind] = removed.get(batch.kind, 0) + batch.removed
    await connection.close()
    told = {kind: count for kind, count in removed.items() if count}
    assert foreseen == told
    return told


async def left(site: Site) -> list[UUID]:
    return [row["id"] for row in await site.connection.fetch("SELECT id FROM netpulse.job ORDER BY id")]


async def count(site: Site, table: str) -> int:
    return int(await site.connection.fetchval(f"SELECT count(*) FROM netpulse.{table}"))  # noqa: S608 - our own


async def test_jobs_go_by_age(site: Site, connections: Connect) -> None:
    for state in ("finished", "failed", "cancelled"):
        await old_job(site, state, days=11)
    kept = [await old_job(site, "failed", days=9), await old_job(site, days=9)]

    assert await swept(connections, finished_days=10) == {"finished jobs": 1}
    assert await swept(connections, failed_days=10) == {"failed jobs": 1, "cancelled jobs": 1}
    assert await swept(connections, failed_days=10, finished_days=10) == {}
    assert await left(site) == kept


async def test_nothing_goes_where_all_is_kept(site: Site, connections: Connect) -> None:
    job = await old_job(site)
    await output(site, job, "text")
    assert await swept(connections) == {}
    assert await left(site) == [job]


async def test_only_the_newest_are_kept(site: Site, connections: Connect) -> None:
    jobs = [await old_job(site, state, days=days) for days, state in enumerate(("finished", "failed", "finished"), 5)]
    waiting = await old_job(site, "queued", days=99)

    assert await swept(connections, most_jobs=3) == {}
    assert await swept(connections, most_jobs=1) == {"surplus jobs": 2}
    assert await left(site) == [waiting, jobs[0]]


async def test_a_day_is_always_kept(site: Site, connections: Connect) -> None:
    """A client that repeats its request within that time must find its job."""
    young = await old_job(site, days=0.9, idempotency_key="k")
    await old_job(site, days=1.1)
    also_young = await old_job(site, days=0.5)
    assert await swept(connections, finished_days=0.01) == {"finished jobs": 1}
    assert await swept(connections, most_jobs=1) == {}
    assert await left(site) == [young, also_young]


async def test_what_has_not_ended_stays(site: Site, connections: Connect) -> None:
    jobs = [await old_job(site, state) for state in ("queued", "claimed", "started")]
    assert await swept(connections, finished_days=1, failed_days=1, outputs_days=1, most_jobs=1) == {}
    assert sorted(await left(site)) == sorted(jobs)


async def test_a_change_to_be_confirmed_stays(site: Site, connections: Connect) -> None:
    job = await old_job(site, operation="config", sealed=b"login", confirm_by=datetime.now(UTC) - timedelta(1))
    assert await swept(connections, finished_days=1) == {}

    await site.connection.execute("SELECT netpulse.forget_unconfirmed()")
    assert await left(site) == [job]
    assert await swept(connections, finished_days=1) == {"finished jobs": 1}


async def test_a_running_rollout_keeps_its_jobs(site: Site, connections: Connect) -> None:
    batch = uuid4()
    await old_job(site, batch_id=batch, wave=0)
    await site.connection.execute("INSERT INTO netpulse.rollout (batch_id, max_failures) VALUES ($1, 0)", batch)
    assert await swept(connections, finished_days=1) == {}

    later = await old_job(site, days=0, batch_id=batch, wave=1)
    await site.connection.execute("UPDATE netpulse.rollout SET state = 'done', ended_at = now()")
    assert await swept(connections, finished_days=1) == {"finished jobs": 1}
    assert (await left(site), await count(site, "rollout")) == ([later], 1)

    await site.connection.execute(
        "UPDATE netpulse.job SET id = netpulse.uuid7(now() - interval '9 days'), ended_at = now() - interval '9 days'"
    )
    assert await swept(connections, finished_days=1) == {"finished jobs": 1}
    assert await count(site, "rollout") == 0


async def test_a_detached_task_keeps_the_job_that_starts_it(site: Site, connections: Connect) -> None:
    fields = {"strategy": "fifo", "operation": "task"}
    sql = "SELECT task_id FROM netpulse.submit_task($1)"
    task = await site.connection.fetchval(sql, new_job("r1", request={"command": ["sleep 9"]}, **fields))
    job = await site.connection.fetchval("SELECT job_id FROM netpulse.detached_task")
    worker = await site.worker()
    assert await site.claim(worker) == [job]
    assert await site.finish(worker, job) == [job]
    aged = await old_job(site, operation="task", strategy="fifo")
    await site.connection.execute("UPDATE netpulse.detached_task SET job_id = $1, state = 'running'", aged)
    assert await swept(connections, finished_days=1) == {}

    over = "UPDATE netpulse.detached_task SET state = 'exited', ended_at = now() WHERE id = $1"
    await site.connection.execute(over, task)
    assert await swept(connections, finished_days=1) == {}  # its log is on the host, and its login here
    await site.connection.execute("UPDATE netpulse.detached_task SET sealed = NULL")
    assert await swept(connections, finished_days=1) == {"finished jobs": 1}
    assert await count(site, "detached_task") == 0


async def test_a_due_delivery_keeps_job_and_outputs(site: Site, connections: Connect) -> None:
    job = await old_job(site)
    await output(site, job, "text")
    await delivery(site, job, "due")
    assert await swept(connections, finished_days=1, outputs_days=1, deliveries_days=1) == {}

    await site.connection.execute(
        "UPDATE netpulse.webhook_delivery SET state = 'delivered', next_at = NULL, delivered_at = now()"
    )
    assert await swept(connections, finished_days=1) == {"finished jobs": 1}
    assert await count(site, "webhook_delivery") == 0


async def test_a_file_keeps_its_job_until_its_content_is_gone(site: Site, connections: Connect) -> None:
    job = await old_job(site, operation="download")
    await site.connection.execute(
        "INSERT INTO netpulse.stored_file (id, job_id, direction, name, created_at)"
        " SELECT netpulse.uuid7(at), $1, 'download', 'f', at FROM (SELECT now() - interval '99 days' AS at) AS ago",
        job,
    )
    assert await swept(connections, finished_days=1, files_days=1) == {}

    await site.connection.execute("UPDATE netpulse.stored_file SET removed_at = now() - interval '9 days'")
    assert await swept(connections, files_days=10) == {}
    assert await swept(connections, files_days=8) == {"files": 1}
    assert await left(site) == [job]


async def test_deliveries_go_before_their_jobs(site: Site, connections: Connect) -> None:
    job = await old_job(site)
    await delivery(site, job)
    await delivery(site, job, "failed")
    await delivery(site, job, "failed", sealed=b"may be put back")
    await delivery(site, job, days=9)
    await site.connection.execute(
        "INSERT INTO netpulse.webhook_attempt (delivery_id, number, started_at, worker)"
        " SELECT id, 1, now(), 'w' FROM netpulse.webhook_delivery"
    )

    assert await swept(connections, deliveries_days=10) == {"deliveries": 2}
    assert (await count(site, "webhook_delivery"), await count(site, "webhook_attempt")) == (2, 2)
    assert await left(site) == [job]


async def test_outputs_go_before_their_jobs_with_the_texts_that_only_they_have(
    site: Site, connections: Connect
) -> None:
    old, young = await old_job(site, days=11), await old_job(site, days=9)
    for position, text in enumerate(("only here", "also there", "a version")):
        await output(site, old, text, position)
    await output(site, young, "also there")
    await version(site, old, "a version", days=11)

    assert await swept(connections, outputs_days=10) == {"outputs": 3}
    assert len(await left(site)) == 2
    texts = await site.connection.fetch("SELECT body FROM netpulse.output_text ORDER BY body")
    assert [row["body"] for row in texts] == ["a version", "also there"]


async def test_texts_go_with_jobs(site: Site, connections: Connect) -> None:
    await output(site, await old_job(site), "text")
    assert await swept(connections, finished_days=1) == {"finished jobs": 1}
    assert (await count(site, "job_output"), await count(site, "output_text")) == (0, 0)


async def test_versions_go_once_another_is_old_and_the_last_one_never(site: Site, connections: Connect) -> None:
    job = await old_job(site)
    for text, days in (("first", 30), ("second", 20), ("third", 5)):
        await output(site, job, text, days)
        await version(site, job, text, days)
    await output(site, job, "only one", 99)
    await version(site, job, "only one", 99, command="show version")
    await site.connection.execute("DELETE FROM netpulse.job_output")

    assert await swept(connections, versions_days=10) == {"versions": 1}
    texts = await site.connection.fetch("SELECT body FROM netpulse.output_text ORDER BY body")
    assert [row["body"] for row in texts] == ["only one", "second", "third"]
    assert await swept(connections, versions_days=1) == {"versions": 1}


async def test_audit_events_go_where_the_role_may(site: Site, connections: Connect) -> None:
    for days in (102, 101, 99):
        await site.connection.execute(
            "INSERT INTO netpulse.audit_event (at, action, allowed) VALUES (now() - $1 * interval '1 day', 'a', true)",
            days,
        )
    assert await swept(connections, audit_days=100) == {"audit events": 2}
    left_over = await site.connection.fetch("SELECT action FROM netpulse.audit_event ORDER BY id")
    assert [row["action"] for row in left_over] == ["a", "retention"]

    await site.connection.execute("SET ROLE netpulse_app")
    found = {found.kind: found for found in await preview(site.connection, keeping(audit_days=90))}
    assert not found["audit events"].allowed
    round_id = await begin(site.connection, "service")
    assert round_id is not None
    assert [batch async for batch in remove(site.connection, keeping(audit_days=90), round_id)] == []


async def test_batches_are_small_and_each_is_done_for_good(site: Site, connections: Connect) -> None:
    jobs = [await old_job(site, days=LONG_AGO - n) for n in range(5)]
    kept = await old_job(site, "failed", days=LONG_AGO + 1)  # first in the walk: it is passed, not met again
    removing = await connections()
    round_id = await begin(removing, "tests")
    assert round_id is not None
    batches = remove(removing, keeping(finished_days=1), round_id, 2)
    first, second = await anext(batches), await anext(batches)

    assert [(batch.looked_at, batch.removed) for batch in (first, second)] == [(2, 1), (2, 2)]
    assert await left(site) == [kept, *jobs[3:]]
    removing.terminate()  # as a worker that is killed
    assert await swept(connections, 2, finished_days=1) == {"finished jobs": 2}


async def test_a_job_that_somebody_has_locked_waits_for_another_round(
    site: Site, other: Site, connections: Connect
) -> None:
    locked, _free = await old_job(site), await old_job(site)
    async with other.connection.transaction():
        await other.connection.execute("SELECT FROM netpulse.job WHERE id = $1 FOR UPDATE", locked)
        removing = await connections()
        round_id = await begin(removing, "tests")
        assert round_id is not None
        assert [batch.removed async for batch in remove(removing, keeping(finished_days=1), round_id)] == [1]
        await removing.close()
    assert await left(site) == [locked]
    assert await swept(connections, finished_days=1) == {"finished jobs": 1}


async def test_one_round_at_a_time_and_not_too_often(site: Site, connections: Connect) -> None:
    first, second = await connections(), await connections()
    round_id = await begin(first, "one")
    assert round_id is not None
    assert await begin(second, "two") is None
    assert [batch async for batch in remove(first, keeping(), round_id)] == []
    await first.close()

    assert await begin(second, "two", every_s=3600) is None
    assert await begin(second, "two") is not None


async def test_a_worker_does_rounds_by_itself(site: Site, database: str) -> None:
    await old_job(site)
    keeper = asyncio.create_task(keep_retention(database, keeping(finished_days=1, every_s=0.05), "node:1"))

    async def done() -> bool:
        sql = "SELECT by, removed FROM netpulse.retention_round WHERE ended_at IS NOT NULL ORDER BY id LIMIT 1"
        row = await site.connection.fetchrow(sql)
        return row is not None and dict(row) == {"by": "node:1", "removed": {"finished jobs": 1}}

    try:
        await until_async(done, "no round has ended")
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
    assert await left(site) == []


async def totals(site: Site) -> dict[str, tuple[int, int]]:
    sql = """SELECT state, sum(ended)::bigint, sum(removed)::bigint
               FROM (SELECT state, ended, removed FROM netpulse.job_total
                     UNION ALL SELECT state, ended, removed FROM netpulse.job_tally) AS u GROUP BY state"""
    return {row[0]: (row[1], row[2]) for row in await site.connection.fetch(sql)}


async def test_ends_and_removals_are_counted_once(site: Site, connections: Connect) -> None:
    worker = await site.worker()
    one, two, three = [await site.submit_one(device) for device in "abc"]
    await site.cancel(job=three)
    await site.claim(worker)
    await site.finish(worker, one)
    await site.finish(worker, one)  # its reply was lost
    await site.finish(worker, two, state="failed", error_type="Unreachable", error_message="-")
    expected = {"finished": (1, 0), "failed": (1, 0), "cancelled": (1, 0)}
    assert await totals(site) == expected

    assert await site.connection.fetchval("SELECT netpulse.fold_tally(2)") == 2
    assert await totals(site) == expected
    await site.connection.execute(
        "UPDATE netpulse.job SET id = netpulse.uuid7(now() - interval '9 days'), ended_at = now() - interval '9 days'"
        " WHERE id = $1",
        one,
    )
    await swept(connections, finished_days=1)
    await site.connection.execute("SELECT netpulse.fold_tally(100)")
    assert await totals(site) == expected | {"finished": (1, 1)}
    assert (await count(site, "job_tally"), await count(site, "job_minute")) == (0, 3)


async def test_audit_events_are_kept_for_90_days(site: Site) -> None:
    with pytest.raises(ValueError, match="90 days"):
        keeping(audit_days=89)
