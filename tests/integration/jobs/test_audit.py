"""The audit trail's table, and how many jobs a key may have waiting."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.services import database_engine
from jobs.audit import LONGEST_TEXT, AuditEvent, AuditFilter, Waited, find_events, record, write_events
from jobs.limits import TooManyQueued, require_room
from jobs.principal import Principal
from tests.integration.jobs.conftest import Site, new_job

pytestmark = pytest.mark.anyio

FULL = AuditEvent(
    action="POST /device/execute",
    allowed=True,
    actor="ops",
    client="192.0.2.7",
    request_id="r-1",
    host="192.0.2.1",
    subject="sites/hq/admin",
    reason="why",
    job_id=uuid4(),
    batch_id=uuid4(),
    detail={"count": 3},
)
KEY = Principal("tests", frozenset({"query"}))

OLD = "INSERT INTO netpulse.audit_event (at, action, allowed) SELECT now() - interval '{}', 'old', true FROM {}"


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = database_engine(database, 2)
    yield engine
    await engine.dispose()


async def test_what_is_written_is_found(engine: AsyncEngine) -> None:
    await write_events(engine, [FULL])
    [row] = await find_events(engine, AuditFilter(), 10)
    assert AuditEvent(**{name: row._mapping[name] for name in AuditEvent.__dataclass_fields__}) == FULL
    assert abs(datetime.now(UTC) - row.at) < timedelta(minutes=1)


async def test_what_waited_has_its_own_time(engine: AsyncEngine) -> None:
    await write_events(engine, [FULL, Waited(FULL, 3600)])
    late, prompt = await find_events(engine, AuditFilter(), 10)
    assert prompt.at - late.at == timedelta(hours=1)


async def test_texts_that_postgresql_cannot_keep(engine: AsyncEngine) -> None:
    bad, good = "x\0y\ud800z", "x\ufffdy?z"
    await write_events(engine, [AuditEvent("a", allowed=False, reason=bad, subject="s" * 5000, detail={bad: [bad, 1]})])
    [row] = await find_events(engine, AuditFilter(), 10)
    assert (row.reason, row.subject, row.detail) == (good, "s" * LONGEST_TEXT, {good: [good, 1]})


FILTERS = {
    "actor": AuditFilter(actor="ops"),
    "host": AuditFilter(host="192.0.2.1"),
    "job": AuditFilter(job_id=FULL.job_id),
    "batch": AuditFilter(batch_id=FULL.batch_id),
    "action": AuditFilter(action="POST /device/execute"),
    "allowed": AuditFilter(allowed=True),
    "request": AuditFilter(request_id="r-1"),
    "since": AuditFilter(since=datetime.now(UTC) - timedelta(minutes=30)),
}


@pytest.mark.parametrize("where", FILTERS.values(), ids=FILTERS.keys())
async def test_filters(engine: AsyncEngine, where: AuditFilter) -> None:
    """One event that matches and one that does not; both by `until` in the future, none in the past."""
    await write_events(engine, [Waited(AuditEvent("other", allowed=False), 3600), FULL])
    assert [row.action for row in await find_events(engine, where, 10)] == [FULL.action]
    now = datetime.now(UTC)
    assert len(await find_events(engine, AuditFilter(until=now + timedelta(hours=1)), 10)) == 2
    assert await find_events(engine, replace(where, until=now - timedelta(hours=2)), 10) == []


async def test_pages(engine: AsyncEngine) -> None:
    await write_events(engine, [AuditEvent(f"a{number}", allowed=True) for number in range(5)])
    first = await find_events(engine, AuditFilter(), 2)
    rest = await find_events(engine, AuditFilter(before=first[-1].id), 10)
    assert [row.action for row in (*first, *rest)] == ["a4", "a3", "a2", "a1", "a0"]


async def test_the_command_line_records_within_its_transaction(database: str, engine: AsyncEngine) -> None:
    with psycopg.connect(database) as connection:
        record(connection, AuditEvent("keys create", allowed=True, actor="cli", subject="ops"))
        assert await find_events(engine, AuditFilter(), 1) == []
    [row] = await find_events(engine, AuditFilter(), 1)
    assert (row.actor, row.action, row.subject, row.client) == ("cli", "keys create", "ops", None)


CHANGES = [
    "UPDATE netpulse.audit_event SET actor = NULL",
    "DELETE FROM netpulse.audit_event WHERE false",
    "TRUNCATE netpulse.audit_event",
    "SET LOCAL session_replication_role = replica; DELETE FROM netpulse.audit_event",
    "SET LOCAL netpulse.removes_audit_events = 'yes'; UPDATE netpulse.audit_event SET actor = NULL",
    "SET LOCAL netpulse.removes_audit_events = 'yes'; TRUNCATE netpulse.audit_event",
]


@pytest.mark.parametrize("statement", CHANGES)
def test_nobody_changes_events(database: str, statement: str) -> None:
    """Not even the owner, who is a superuser here. For other roles: tests/integration/migrations/test_role.py."""
    with psycopg.connect(database) as owner:
        record(owner, FULL)
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="audit events are never changed"):
            owner.execute(statement)


def _removed(owner: psycopg.Connection, days: int, most: int) -> int:
    sql = "SELECT netpulse.remove_audit_events(now() - make_interval(days => %s), %s)"
    row = owner.execute(sql, [days, most]).fetchone()
    assert row is not None
    return int(row[0])


def test_retention_removes_the_oldest_and_says_so(database: str) -> None:
    with psycopg.connect(database) as owner:
        owner.execute(OLD.format("100 days", "generate_series(1, 3)"))
        owner.execute(OLD.format("80 days", "generate_series(1, 2)"))
        assert [_removed(owner, 90, 2), _removed(owner, 90, 2), _removed(owner, 90, 2)] == [2, 1, 0]
        sql = "SELECT action, detail -> 'removed', detail ? 'before' FROM netpulse.audit_event ORDER BY id"
        old, retained = ("old", None, None), "retention"
        assert owner.execute(sql).fetchall() == [old, old, (retained, 2, True), (retained, 1, True)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):  # its permission ended with it
            owner.execute("DELETE FROM netpulse.audit_event")


@pytest.mark.parametrize("before", ["now() - interval '89 days'", "NULL", "'infinity'"])
def test_retention_spares_the_young(database: str, before: str) -> None:
    with (
        psycopg.connect(database) as owner,
        pytest.raises(psycopg.errors.InvalidParameterValue, match="kept for 90 days"),
    ):
        owner.execute(f"SELECT netpulse.remove_audit_events({before}, 1)")


# ── jobs that wait ──


async def test_room(site: Site, engine: AsyncEngine) -> None:
    waiting = await site.submit(*(new_job(f"r{number}") for number in range(3)), new_job("r9", submitted_by="other"))
    await require_room(engine, KEY, 4, 1)
    await require_room(engine, KEY, 0, 10_000)
    for limit, wanted in ((3, 1), (4, 2), (2, 1)):
        with pytest.raises(TooManyQueued, match=f"'tests' may have {limit} jobs waiting; try again"):
            await require_room(engine, KEY, limit, wanted)
    with pytest.raises(TooManyQueued, match="which is less than 6"):
        await require_room(engine, KEY, 5, 6)
    await site.cancel(job=UUID(str(waiting[0]["id"])))
    await require_room(engine, KEY, 3, 1)


async def test_a_keys_own_limit_counts(site: Site, engine: AsyncEngine) -> None:
    await site.submit(new_job("r1"))
    await require_room(engine, replace(KEY, queued_jobs=0), 1, 5)
    await require_room(engine, replace(KEY, queued_jobs=2), 1, 1)
    with pytest.raises(TooManyQueued):
        await require_room(engine, replace(KEY, queued_jobs=1), 100, 1)


async def test_running_jobs_do_not_wait(site: Site, engine: AsyncEngine) -> None:
    worker = await site.worker()
    job = await site.submit_one("r1", preferred_worker=worker)
    assert await site.claim(worker) == [job]
    await require_room(engine, KEY, 1, 1)


async def test_counting_walks_an_index(site: Site) -> None:
    await site.connection.execute("SET enable_seqscan = off")
    sql = "EXPLAIN SELECT FROM netpulse.job WHERE submitted_by = 'tests' AND state = 'queued' LIMIT 5"
    plan = "\n".join(row[0] for row in await site.connection.fetch(sql))
    assert re.search("(Index|Index Only) Scan using job_queued_by_idx", plan), plan
