"""What devices said: each text is stored once, and its history is the order of the jobs' ends."""

import asyncio
import hashlib
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest

from app import migrations
from app.services import database_engine
from drivers.base import Reply, Verdict
from jobs.database import Pool
from jobs.history import JobFilter, find_jobs
from jobs.queue import Claimed, JobQueue
from jobs.results import Outcome
from jobs.searches import FEW, Search, SearchTooLong
from tests.integration.jobs.conftest import Connect, Site, blocked, new_job, queue_worker
from tests.integration.jobs.test_storing import claimed

pytestmark = pytest.mark.anyio

CHANGES = """
    SELECT device_key, command, coalesce(t.body, '') AS said, c.job_id, c.previous_job_id, c.changed_at,
           c.previous_seen_at, encode(c.previous_digest, 'hex') AS previous
      FROM netpulse.output_change AS c LEFT JOIN netpulse.output_text AS t USING (digest) ORDER BY c.id
"""


def hexdigest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def said(text: str, command: str = "show version", verdict: Verdict = Verdict.DONE, phase: str = "main") -> Reply:
    return Reply(command, text, verdict, None, 0.1, phase=phase)


class Device:
    """A device whose jobs a worker runs one after the other."""

    def __init__(self, site: Site, queue: JobQueue) -> None:
        self.site, self.queue = site, queue

    async def run(self, *replies: Reply, device: str = "r1", kept: bool = True, **fields: Any) -> UUID:
        """A job that ends with these replies."""
        await self.site.submit(new_job(device, **fields))
        [job] = await self.queue.claim(queue_worker(self.queue.worker_id), 1)
        assert await self.queue.finish([(job, Outcome("finished", replies, kept=kept))]) == {job.id}
        return job.id


@pytest.fixture
async def device(site: Site, pool: Pool) -> Device:
    return Device(site, JobQueue(pool, await site.worker()))


async def texts(site: Site) -> list[str]:
    return [row["body"] for row in await site.connection.fetch("SELECT body FROM netpulse.output_text ORDER BY body")]


async def changes(site: Site) -> list[asyncpg.Record]:
    return list(await site.connection.fetch(CHANGES))


async def test_equal_texts_are_stored_once(site: Site, device: Device) -> None:
    jobs = [await device.run(said("a"), said("a", "show clock"), said(""), device=name) for name in ("r1", "r2")]

    assert [await site.outputs(job) for job in jobs] == [["a", "a", ""]] * 2
    assert await texts(site) == ["a"]
    row = await site.connection.fetchrow("SELECT encode(digest, 'hex') AS digest FROM netpulse.output_text")
    assert row["digest"] == hexdigest("a")
    sizes = "SELECT size_bytes FROM netpulse.job_output WHERE job_id = $1 ORDER BY position"
    assert [row["size_bytes"] for row in await site.connection.fetch(sizes, jobs[0])] == [1, 1, 0]


async def test_consecutive_equal_outputs_are_one_version(site: Site, device: Device) -> None:
    jobs = [await device.run(said(text)) for text in ("a", "a", "", "", "a")]

    seen = await changes(site)
    assert [(row["said"], row["job_id"], row["previous_job_id"]) for row in seen] == [
        ("a", jobs[0], None),
        ("", jobs[2], jobs[1]),
        ("a", jobs[4], jobs[3]),
    ]
    assert [row["previous"] for row in seen] == [None, hexdigest("a"), None]
    ends = [(await site.job(job))["ended_at"] for job in jobs]
    assert [(row["changed_at"], row["previous_seen_at"]) for row in seen] == [
        (ends[0], None),
        (ends[2], ends[1]),
        (ends[4], ends[3]),
    ]
    latest = await site.connection.fetchrow("SELECT * FROM netpulse.output_latest")
    assert (latest["job_id"], latest["seen_at"], latest["digest"].hex()) == (jobs[4], ends[4], hexdigest("a"))


async def test_the_same_command_many_times_in_one_finish(site: Site, pool: Pool) -> None:
    queue, jobs = await claimed(site, pool, 3, device_key="r:22", strategy="fifo")
    outcomes = [Outcome("finished", [said(text) for text in said_by]) for said_by in ("aab", "bc", "ca")]
    await queue.finish(zip(jobs, outcomes, strict=True))

    assert len({job.device_key for job in jobs}) == 1
    ends = {job.id: (await site.job(job.id))["ended_at"] for job in jobs}
    by_end = sorted(zip(jobs, ("aab", "bc", "ca"), strict=True), key=lambda pair: (ends[pair[0].id], pair[0].id))
    shown = [text for _, said_by in by_end for text in said_by]
    expected = [text for text, before in zip(shown, [None, *shown], strict=False) if text != before]
    assert [row["said"] for row in await changes(site)] == expected


@pytest.mark.parametrize(
    ("reply", "fields"),
    [
        (said("x", verdict=Verdict.REFUSED), {}),
        (said("x", phase="before"), {}),
        (said("x", "c" * 1001), {}),
        (said("x"), {"operation": "config"}),
        (said("x"), {"operation": "task", "strategy": "fifo"}),
    ],
    ids=["refused", "check", "long-command", "change", "task"],
)
async def test_what_has_no_history(site: Site, device: Device, reply: Reply, fields: dict[str, Any]) -> None:
    job = await device.run(reply, **fields)

    assert await site.outputs(job) == ["x"]
    assert await changes(site) == []


async def test_a_job_that_goes_on_has_no_history_yet(site: Site, pool: Pool) -> None:
    queue, [job] = await claimed(site, pool, 1)
    await site.record(queue.worker_id, job.id, "a")
    assert (await site.outputs(job.id), await changes(site)) == (["a"], [])

    await queue.finish([(job, Outcome("finished", [said("a", "c")]))])
    assert [row["said"] for row in await changes(site)] == ["a"]


async def test_metadata_only(site: Site, device: Device) -> None:
    reply = replace(said("état"), stderr="e", parsed=[{"a": 1}], parsing_error="why")
    job = await device.run(reply, kept=False)

    row = await site.connection.fetchrow("SELECT * FROM netpulse.job_output WHERE job_id = $1", job)
    assert (row["command"], row["verdict"], row["size_bytes"]) == ("show version", "done", 5)
    assert (row["digest"], row["stderr"], row["parsed"], row["parsing_error"]) == (None, "", None, None)
    assert (await texts(site), await changes(site)) == ([], [])


async def test_metadata_only_tells_nothing_of_what_a_template_made(site: Site, pool: Pool) -> None:
    queue, [job] = await claimed(site, pool, 1, operation="config")
    replies = [said("x", "show clock", phase="before"), said("", "secret line")]
    outcome = Outcome("finished", replies, rendered="secret line", difference="+secret line", kept=False)
    await queue.finish([(job, outcome)])

    row = await site.job(job.id)
    assert (row["rendered"], row["difference"]) == (None, None)
    commands = "SELECT command FROM netpulse.job_output ORDER BY position"
    assert [row["command"] for row in await site.connection.fetch(commands)] == ["show clock", ""]


async def test_any_text_is_stored_and_can_be_searched(site: Site, device: Device) -> None:
    """A tsvector holds 1 MB: no output may be too much for it."""
    worst = [
        " ".join(f"w{n:x}-x{n:x}" for n in range(60_000)),
        " ".join(f"\U0001d4d0\U0001d4d0{chr(0x20000 + n)}-{chr(0x20000 + n)}" for n in range(40_000)),
        " ".join(f"http://a{n:x}.example/b{n:x}" for n in range(40_000)),
        "x" * 3_000_000,
        "".join(chr(0x4E00 + n % 20_000) + " " for n in range(400_000)),
    ]
    job = await device.run(*(said(text, f"show {n}") for n, text in enumerate(worst)))

    assert await site.outputs(job) == worst
    found = "SELECT count(*) FROM netpulse.output_text WHERE words @@ plainto_tsquery('simple', 'wff')"
    assert await site.connection.fetchval(found) == 1


async def test_workers_that_store_the_same_at_once(site: Site, pool: Pool) -> None:
    """Every finish brings the same texts in another order, on the same devices."""
    queue, jobs = await claimed(site, pool, 24, device_key="r:22", strategy="fifo")

    async def finish(number: int, job: Claimed) -> set[UUID]:
        replies = [said(f"text {(number * 5 + n) % 8}", f"show {(number * 3 + n) % 8}") for n in range(8)]
        return await queue.finish([(job, Outcome("finished", replies))])

    done = await asyncio.gather(*(finish(number, job) for number, job in enumerate(jobs)))
    assert set().union(*done) == {job.id for job in jobs}
    assert len(await texts(site)) == 8
    assert await site.states(*(job.id for job in jobs)) == ["finished"] * 24
    broken = """
        SELECT count(*) FROM (SELECT c.*, lag(digest) OVER w AS before, lag(changed_at) OVER w AS earlier
                                FROM netpulse.output_change AS c WINDOW w AS (PARTITION BY command ORDER BY id)) AS c
         WHERE digest = before OR previous_digest IS DISTINCT FROM before OR changed_at < earlier
    """
    assert await site.connection.fetchval(broken) == 0


OLD = "UPDATE netpulse.output_text SET first_seen_at = now() - interval '2 hours'"
REMOVE = "SELECT netpulse.remove_texts(ARRAY(SELECT digest FROM netpulse.output_text))"


async def test_only_texts_that_nothing_refers_to_are_removed(site: Site, device: Device) -> None:
    used = await device.run(said("of a job", "x" * 2000))
    await site.connection.execute("DELETE FROM netpulse.job WHERE id = $1", await device.run(said("of a version")))
    gone = await device.run(said("of nothing", "y" * 2000))
    await site.connection.execute("DELETE FROM netpulse.job WHERE id = $1", gone)
    assert await site.connection.fetchval(REMOVE) == 0  # all are young

    await site.connection.execute(OLD)
    assert await site.connection.fetchval(REMOVE) == 1
    assert await texts(site) == ["of a job", "of a version"]
    assert await site.outputs(used) == ["of a job"]


async def test_a_text_that_is_being_stored_again_is_not_removed(
    site: Site, device: Device, connections: Connect
) -> None:
    await device.run(said("a", "x" * 2000))
    await site.connection.execute("DELETE FROM netpulse.job_output")
    await site.connection.execute(OLD)
    storing = Site(await connections())
    transaction = storing.connection.transaction()
    await transaction.start()
    job = await storing.submit_one("r2")
    row = {"job_id": str(job), "position": 0, "command": "c", "verdict": "done", "stdout": "a"}
    await storing.connection.execute("SELECT netpulse.save_outputs($1)", [row | {"stderr": "", "duration_s": 0}])

    assert await site.connection.fetchval(REMOVE) == 0
    await transaction.commit()
    assert await site.outputs(job) == ["a"]


async def test_a_text_that_is_being_removed_is_stored_anew(
    site: Site, other: Site, device: Device, connections: Connect
) -> None:
    await device.run(said("a", "x" * 2000))
    await site.connection.execute("DELETE FROM netpulse.job_output")
    await site.connection.execute(OLD)
    removing = Site(await connections())
    transaction = removing.connection.transaction()
    await transaction.start()
    assert await removing.connection.fetchval(REMOVE) == 1

    storing = asyncio.create_task(device.run(said("a", "x" * 2000)))
    await blocked(other)
    await transaction.commit()
    assert await site.outputs(await storing) == ["a"]


async def test_a_search_that_takes_too_long_is_given_up(site: Site, database: str) -> None:
    engine = database_engine(database, 1)
    transaction = site.connection.transaction()
    await transaction.start()
    await site.connection.execute("LOCK TABLE netpulse.output_text")
    with pytest.raises(SearchTooLong):
        await find_jobs(engine, JobFilter(search=Search("a", longest_s=0.05)), 1)
    await transaction.rollback()
    assert await find_jobs(engine, JobFilter(search=Search("a")), 1) == []
    await engine.dispose()


async def test_words_that_are_everywhere_and_words_that_are_not(site: Site, database: str, device: Device) -> None:
    """The two ways to find the same."""
    jobs = [await device.run(said(text), said(f"{text} again", "show clock")) for text in ("a b", "a c", "b c")]
    many = """
        INSERT INTO netpulse.job_output (job_id, position, command, verdict, digest)
        SELECT $1, n, 'c', 'done', digest FROM netpulse.output_text, generate_series(2, $2::integer) AS n
         WHERE body = 'a b'
    """
    engine = database_engine(database, 1)

    async def find(words: str) -> list[UUID]:
        return [
            record.job.id for record in await find_jobs(engine, JobFilter(search=Search(words)), 2, outputs_from=9999)
        ]

    before = [await find(words) for words in ("a", "b", "c", "again c", "d")]
    await site.connection.execute(many, jobs[0], FEW + 2)
    assert [await find(words) for words in ("a", "b", "c", "again c", "d")] == before
    assert before == [[jobs[1], jobs[0]], [jobs[2], jobs[0]], [jobs[2], jobs[1]], [jobs[2], jobs[1]], []]
    await engine.dispose()


PAST = """
    INSERT INTO netpulse.job (id, driver, operation, device_key, host, zone, strategy, state, request, submitted_by,
                              execution_timeout_s, ended_at)
    SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 'netmiko', 'command', 'r1:22', 'r1', 'default', 'pinned',
           'finished', '{}', 'tests', 300, timestamptz '2026-01-01' + n * interval '1 day'
      FROM generate_series(0, 3) AS n;
    INSERT INTO netpulse.job_output (job_id, position, command, verdict, stdout)
    SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, 0, 'show', 'done', (ARRAY['a', 'a', '', 'b'])[n + 1]
      FROM generate_series(0, 3) AS n;
"""


def test_outputs_of_before_are_converted_and_back(empty_database: str) -> None:
    """Without pytest's event loop: alembic has its own connection."""
    outputs = "SELECT {} FROM netpulse.job_output AS o {} ORDER BY job_id"
    before = outputs.format("o.stdout", "")
    migrations.upgrade(empty_database, "0012")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(PAST.encode())
        migrations.upgrade(empty_database, "0013")
        joined = outputs.format(
            "coalesce(t.body, ''), o.size_bytes", "LEFT JOIN netpulse.output_text AS t USING (digest)"
        )
        assert connection.execute(joined.encode()).fetchall() == [("a", 1), ("a", 1), ("", 0), ("b", 1)]
        seen = "SELECT right(job_id::text, 1), right(previous_job_id::text, 1) FROM netpulse.output_change ORDER BY id"
        assert connection.execute(seen).fetchall() == [("0", None), ("2", "1"), ("3", "2")]
        latest = "SELECT right(job_id::text, 1), right(previous_job_id::text, 1) FROM netpulse.output_latest"
        assert connection.execute(latest).fetchall() == [("3", "2")]
        migrations.downgrade(empty_database, "0012")
        assert connection.execute(before.encode()).fetchall() == [("a",), ("a",), ("",), ("b",)]
