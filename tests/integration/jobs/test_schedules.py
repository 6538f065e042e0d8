"""What is due fires once, whoever looks; and jobs that come by SQL."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from app.services import database_engine
from jobs.candidates import Candidates
from jobs.confirmations import confirm
from jobs.database import Pool
from jobs.firing import Firing
from jobs.placement import load_policy
from jobs.principal import Forbidden, Principal
from jobs.seal import Seal, new_key
from jobs.submit import Intake
from tests.integration.jobs.conftest import Site, new_job
from tests.waiting import until_async

pytestmark = pytest.mark.anyio

PART = 1000
LOOKS = 1.0


def ready_jobs(count: int, **fields: Any) -> list[dict[str, Any]]:
    """As a schedule has them: without what belongs to a firing."""
    jobs = [new_job(f"r{number}", strategy="fifo", **fields) for number in range(count)]
    return [{name: value for name, value in job.items() if name not in ("sealed", "submitted_by")} for job in jobs]


async def made(site: Site, *, late_s: float = 0, jobs: int = 1, **fields: Any) -> UUID:
    """A schedule of every minute that was due `late_s` seconds ago."""
    ready = fields.pop("ready", None) or ready_jobs(jobs)
    values = {
        "id": uuid4(),
        "name": f"s{uuid4().hex[:8]}",
        "cron": "* * * * *",
        "timezone": "UTC",
        "body": {"devices": []} if len(ready) > 1 else {},
        "jobs": ready,
        "hosts": [job["host"] for job in ready],
        "overlap": "queue",
        "missed": "skip",
        "submitted_by": "backup",
        "next_at": await now(site) - timedelta(seconds=late_s),
        **fields,
    }
    marks = ", ".join(f"${place + 1}" for place in range(len(values)))
    await site.connection.execute(
        f"INSERT INTO netpulse.schedule ({', '.join(values)}) VALUES ({marks})",  # noqa: S608 - our own names
        *values.values(),
    )
    schedule: UUID = values["id"]
    return schedule


async def now(site: Site) -> datetime:
    """By PostgreSQL's clock, to the second."""
    moment: datetime = await site.connection.fetchval("SELECT date_trunc('second', clock_timestamp())")
    return moment


async def schedule(site: Site, schedule_id: UUID) -> asyncpg.Record:
    return await site.connection.fetchrow("SELECT * FROM netpulse.schedule WHERE id = $1", schedule_id)


async def jobs_of(site: Site, schedule_id: UUID) -> list[asyncpg.Record]:
    """In the order in which they were queued."""
    return list(
        await site.connection.fetch("SELECT * FROM netpulse.job WHERE schedule_id = $1 ORDER BY id", schedule_id)
    )


async def firings(site: Site, schedule_id: UUID) -> list[asyncpg.Record]:
    sql = "SELECT * FROM netpulse.schedule_firing WHERE schedule_id = $1 ORDER BY id"
    return list(await site.connection.fetch(sql, schedule_id))


async def look(pool: Pool) -> None:
    """Fire what is due, also what has become so meanwhile."""
    firing = Firing(pool)
    while await firing.look() == 0:
        pass


async def test_a_due_schedule_fires_once_and_moves_on(site: Site, pool: Pool) -> None:
    fired = await made(site, late_s=1)
    tick = (await schedule(site, fired))["next_at"]
    await look(pool)
    await look(pool)
    [job], [note], row = await jobs_of(site, fired), await firings(site, fired), await schedule(site, fired)

    assert (job["state"], job["submitted_by"], job["sealed"], job["batch_id"]) == ("queued", "backup", None, None)
    assert (note["tick"], note["job_id"], note["queued"], note["skipped"]) == (tick, job["id"], 1, None)
    assert (row["last_job"], row["last_batch"]) == (job["id"], None)
    assert row["next_at"] == tick.replace(second=0) + timedelta(minutes=1)


async def test_what_is_not_due_or_not_enabled_stays(site: Site, pool: Pool) -> None:
    later = await made(site, late_s=-3600)
    disabled = await made(site, enabled=False, next_at=None)
    assert await Firing(pool).look() <= LOOKS
    assert await firings(site, later) == await firings(site, disabled) == []


async def test_many_at_the_same_moment_fire_each_tick_once(site: Site, pool: Pool) -> None:
    fired = [await made(site, late_s=1) for _ in range(20)]
    await asyncio.gather(*(look(pool) for _ in range(5)))
    assert [len(await jobs_of(site, one)) for one in fired] == [1] * 20


async def test_a_firing_that_is_undone_is_done_again(site: Site, other: Site, pool: Pool) -> None:
    fired = await made(site, late_s=1)
    row = await schedule(site, fired)
    dying = other.connection.transaction()
    await dying.start()
    values = (fired, row["next_at"], row["updated_at"], row["next_at"] + timedelta(minutes=1))
    assert await other.connection.fetchval("SELECT netpulse.fire_schedule($1, $2, $3, $4)", *values) == "fired"
    await look(pool)  # the other one has it
    assert await jobs_of(site, fired) == []
    other.connection.terminate()

    async def fired_after_all() -> bool:
        await look(pool)
        return bool(await jobs_of(site, fired))

    await until_async(fired_after_all, "it fires")
    assert len(await jobs_of(site, fired)) == 1


async def test_nobody_fires_what_was_changed_since_they_looked(site: Site) -> None:
    fired = await made(site, late_s=1)
    row = await schedule(site, fired)
    await site.connection.execute("UPDATE netpulse.schedule SET updated_at = clock_timestamp()")
    sql = "SELECT netpulse.fire_schedule($1, $2, $3, NULL)"
    assert await site.connection.fetchval(sql, fired, row["next_at"], row["updated_at"]) is None
    row = await schedule(site, fired)
    assert await site.connection.fetchval(sql, fired, row["next_at"], row["updated_at"]) == "fired"


async def test_a_tick_that_comes_again_does_not_fire_again(site: Site, pool: Pool) -> None:
    """The clock went back, and somebody enabled the schedule anew."""
    fired = await made(site, late_s=1)
    tick = (await schedule(site, fired))["next_at"]
    await look(pool)
    await site.connection.execute("UPDATE netpulse.schedule SET next_at = $1", tick)
    await look(pool)
    assert len(await jobs_of(site, fired)) == len(await firings(site, fired)) == 1
    assert (await schedule(site, fired))["next_at"] > tick


async def test_missed_ticks_are_skipped(site: Site, pool: Pool) -> None:
    missed = await made(site, late_s=3600, cron="0 0 1 1 *")
    await look(pool)
    [note] = await firings(site, missed)
    assert note["skipped"] == "it was due more than 60 seconds before any worker looked"
    assert await jobs_of(site, missed) == []
    assert (await schedule(site, missed))["next_at"] > await now(site)


async def test_after_missed_ticks_the_one_that_is_due_now_fires(site: Site, pool: Pool) -> None:
    missed = await made(site, late_s=3600)
    await look(pool)
    notes = await firings(site, missed)
    assert notes[0]["skipped"] is not None
    fired = [note for note in notes if note["skipped"] is None]
    assert 1 <= len(fired) <= 2  # the minute that has just begun, and one that begins meanwhile
    assert fired[0]["tick"] > await now(site) - timedelta(seconds=90)


async def test_missed_ticks_are_made_up_for_once(site: Site, pool: Pool) -> None:
    missed = await made(site, late_s=3 * 86_400, cron="0 0 1 1 *", missed="once")
    await look(pool)
    [note] = await firings(site, missed)
    assert (note["skipped"], note["queued"]) == (None, 1)
    assert (await schedule(site, missed))["next_at"] > await now(site)


async def test_overlap_skips_until_the_last_job_has_ended(site: Site, pool: Pool) -> None:
    fired = await made(site, late_s=2, cron="0 0 1 1 *", overlap="skip")
    await look(pool)
    [job] = await jobs_of(site, fired)
    again = "UPDATE netpulse.schedule SET next_at = $1"
    await site.connection.execute(again, await now(site) - timedelta(seconds=1))
    await look(pool)
    assert [note["skipped"] for note in await firings(site, fired)] == [None, "jobs of the last firing have not ended"]

    await site.cancel(job=job["id"])
    await site.connection.execute(again, await now(site))
    await look(pool)
    assert [note["queued"] for note in await firings(site, fired)] == [1, 0, 1]


async def test_overlap_of_a_batch(site: Site, pool: Pool) -> None:
    fired = await made(site, late_s=2, jobs=3, cron="0 0 1 1 *", overlap="skip")
    await look(pool)
    first, *_ = await jobs_of(site, fired)
    await site.cancel(job=first["id"])
    await site.connection.execute("UPDATE netpulse.schedule SET next_at = now()")
    await look(pool)
    assert [note["queued"] for note in await firings(site, fired)] == [3, 0]


@pytest.mark.parametrize(
    ("end", "word"),
    [
        ("UPDATE netpulse.api_key SET revoked_at = now()", "is revoked"),
        ("UPDATE netpulse.api_key SET expires_at = now()", "has expired"),
    ],
)
async def test_a_key_that_counts_no_more_fires_nothing(site: Site, pool: Pool, end: str, word: str) -> None:
    await site.connection.execute(
        "INSERT INTO netpulse.api_key (id, name, digest, scopes, created_by) VALUES ('1', 'backup', '', '{query}', '')"
    )
    await site.connection.execute(end)
    blocked = await made(site, late_s=1)
    await look(pool)
    [note] = await firings(site, blocked)
    assert note["skipped"] == f"the key backup {word}"
    assert await jobs_of(site, blocked) == []


async def test_a_great_bulk_goes_in_parts_and_in_order(site: Site, pool: Pool) -> None:
    fired = await made(site, late_s=1, jobs=2 * PART + 5, cron="0 0 1 1 *")
    row = await schedule(site, fired)
    sql = "SELECT netpulse.fire_schedule($1, $2, $3, $4)"
    values = (fired, row["next_at"], row["updated_at"], row["next_at"] + timedelta(days=1))
    assert await site.connection.fetchval(sql, *values) == "part"
    assert len(await jobs_of(site, fired)) == PART  # and here its worker dies

    await look(pool)
    jobs, [note] = await jobs_of(site, fired), await firings(site, fired)
    assert [job["host"] for job in jobs] == [f"r{number}" for number in range(2 * PART + 5)]
    assert {job["batch_id"] for job in jobs} == {note["batch_id"]}
    assert (note["queued"], note["rest_from"]) == (2 * PART + 5, None)


async def test_a_device_in_another_zone_is_told(site: Site, pool: Pool) -> None:
    await site.submit_one("r0", zone="east")
    [ready] = ready_jobs(1)
    fired = await made(site, late_s=1, ready=[ready | {"strategy": "pinned"}])
    await look(pool)
    [note] = await firings(site, fired)
    assert (note["skipped"], note["queued"], note["refused"]) == ("r0 has jobs in the zone east", 0, 1)


async def test_what_postgresql_refuses_does_not_hold_the_others_up(site: Site, pool: Pool) -> None:
    bad = await made(site, late_s=1, ready=[job | {"operation": "dance"} for job in ready_jobs(1)])
    good = await made(site, late_s=1)
    await look(pool)
    [note] = await firings(site, bad)
    assert note["skipped"] == "PostgreSQL refused it (CheckViolationError)"
    assert len(await jobs_of(site, good)) == 1


async def test_a_time_zone_that_is_gone(site: Site, pool: Pool) -> None:
    lost = await made(site, late_s=1, timezone="Mars/Base")
    await look(pool)
    [note] = await firings(site, lost)
    assert note["skipped"].startswith("timezone: no such time zone")
    assert (await schedule(site, lost))["next_at"] is None


async def test_the_latest_hundred_are_on_record(site: Site) -> None:
    kept = await made(site)
    for _ in range(105):
        await site.connection.execute("SELECT netpulse.note_firing($1, NULL, 'test')", kept)
    assert len(await firings(site, kept)) == 100


async def test_the_duty_fires_by_itself(site: Site, pool: Pool) -> None:
    keeping = asyncio.create_task(Firing(pool).keep())
    fired = await made(site, late_s=-1)

    async def has_fired() -> bool:
        return bool(await jobs_of(site, fired))

    await until_async(has_fired, "it fires")
    [note] = await firings(site, fired)
    assert note["at"] >= note["tick"]
    keeping.cancel()


# ── by SQL ──

REQUEST: dict[str, Any] = {
    "driver": "netmiko",
    "connection_args": {"device_type": "cisco_ios", "host": "R1.Example."},
    "credential_ref": "sites/hq/admin",
    "command": "show version",
}


async def by_sql(site: Site, **changes: Any) -> asyncpg.Record:
    """The job; a field changed to None is null."""
    job_id = await site.connection.fetchval("SELECT netpulse.submit_job($1)", {**REQUEST, **changes})
    return await site.job(job_id)


async def test_a_job_by_sql(site: Site) -> None:
    job = await by_sql(site, config=None)
    user = await site.connection.fetchval("SELECT session_user")
    assert (job["device_key"], job["host"], job["strategy"], job["zone"]) == (
        "r1.example:22",
        "r1.example",
        "pinned",
        "default",
    )
    assert (job["submitted_by"], job["sealed"], job["state"]) == (f"sql:{user}", None, "queued")
    assert job["request"]["command"] == ["show version"]
    assert job["request"]["credential_ref"] == {"path": "sites/hq/admin"}
    assert job["expires_at"] - job["created_at"] == timedelta(seconds=300)


@pytest.mark.parametrize(
    ("changes", "key", "strategy"),
    [
        ({"connection_args": {"host": "r1", "port": 2222}}, "r1:2222", "pinned"),
        ({"connection_args": {"host": "r1", "device_type": "cisco_ios_telnet"}}, "r1:23", "pinned"),
        ({"connection_args": {"ip": "2001:DB8::1"}}, "[2001:db8::1]:22", "pinned"),
        ({"driver": "napalm", "connection_args": {"hostname": "r1", "device_type": "eos"}}, "r1:443", "pinned"),
        ({"driver": "napalm", "connection_args": {"host": "r1", "device_type": "juniper"}}, "r1:830", "pinned"),
        ({"driver": "pyeapi", "connection_args": {"host": "r1"}}, "r1:443", "fifo"),
        ({"driver": "pyeapi", "connection_args": {"host": "r1", "transport": "http"}}, "r1:80", "fifo"),
        ({"driver": "paramiko", "connection_args": {"host": "192.0.2.1"}}, "192.0.2.1:22", "fifo"),
        ({"driver": "own", "connection_args": {"host": "r1", "port": 99}}, "r1:99", "pinned"),
        ({"driver": "paramiko", "options": {"queue_strategy": "pinned"}}, "r1.example:22", "pinned"),
    ],
)
async def test_defaults_by_driver(site: Site, changes: dict[str, Any], key: str, strategy: str) -> None:
    job = await by_sql(site, **changes)
    assert (job["device_key"], job["strategy"]) == (key, strategy)


async def test_options_by_sql(site: Site) -> None:
    options = {"ttl": 60, "execution_timeout": 7.5, "priority": 3, "retry": 2, "zone": "east", "queue_strategy": "fifo"}
    connection = {"host": "r1", "credential_ref": {"path": "p", "provider": "local"}}
    job = await by_sql(
        site, options=options, command=None, config="a\r\n b\n\nc\n", connection_args=connection, credential_ref=None
    )
    assert (job["execution_timeout_s"], job["priority"], job["max_attempts"], job["zone"]) == (7.5, 3, 3, "east")
    assert (job["operation"], job["request"]["config"]) == ("config", ["a", " b", "c"])
    assert job["request"]["credential_ref"] == {"path": "p", "provider": "local"}
    assert job["request"]["connection_args"] == {"host": "r1"}


SECRETS = ": secrets stay out of SQL; keep the login as a credential, and name that by credential_ref"
FIELDS = "known here: driver, connection_args, credential_ref, command, config, driver_args, options"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"drivr": "netmiko"}, f"drivr: unknown field; {FIELDS}"),
        ({"ttl": 3}, f"ttl: unknown field; {FIELDS}"),
        ({"driver": None}, "driver: must be the name of one"),
        ({"driver": "own"}, "connection_args.port: needed for this driver"),
        ({"connection_args": None}, "connection_args: must be an object"),
        ({"connection_args": "r1"}, "connection_args: must be an object"),
        ({"connection_args": {}}, "connection_args.host: must be a host name or an IP address"),
        ({"connection_args": {"host": "r 1"}}, "connection_args.host: must be a host name or an IP address"),
        ({"connection_args": {"host": "999.1.1.1"}}, "connection_args.host: must be a host name or an IP address"),
        (
            {"connection_args": {"host": "r1", "port": 0}},
            "connection_args.port: must be a whole number from 1 to 65535",
        ),
        ({"connection_args": {"host": "r1", "password": "hush"}}, f"password{SECRETS}"),
        (
            {"connection_args": {"host": "r1", "optional_args": {"enable_password": "hush"}}},
            f"enable_password{SECRETS}",
        ),
        ({"driver_args": {"sudo_password": "hush"}}, f"sudo_password{SECRETS}"),
        (
            {"options": {"webhook": {"url": "http://x"}}},
            "options.webhook: unknown; known here: queue_strategy, ttl, execution_timeout, priority, retry, zone, "
            "dry_run, checks, rendering, parsing, rollback, record",
        ),
        ({"driver_args": []}, "driver_args: must be an object"),
        ({"config": "x"}, "exactly one of command and config is needed"),
        ({"command": None}, "exactly one of command and config is needed"),
        ({"credential_ref": 5}, "credential_ref: must be a path, or an object that has one"),
        ({"options": 5}, "options: must be an object"),
        ({"options": {"ttl": 0}}, "options.ttl: must be a number from 0.001 to 604800"),
        ({"options": {"ttl": "long"}}, "options.ttl: must be a number from 0.001 to 604800"),
        ({"options": {"ttl": None}}, "options.ttl: must be a number from 0.001 to 604800"),
        ({"options": {"retry": 1.5}}, "options.retry: must be a whole number from 0 to 10"),
        ({"options": {"zone": "A B"}}, "options.zone: must be 1 to 30 of a-z 0-9 _ and -"),
        ({"options": {"queue_strategy": "lifo"}}, "options.queue_strategy: must be fifo or pinned"),
    ],
)
async def test_what_is_wrong_is_told(site: Site, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError) as raised:
        await by_sql(site, **changes)
    assert str(raised.value) == complaint
    assert await site.queue() == []


@pytest.mark.parametrize("request_", [None, [], "x"])
async def test_what_is_no_request(site: Site, request_: object) -> None:
    given = None if request_ is None else json.dumps(request_)
    with pytest.raises(asyncpg.InvalidParameterValueError, match=r"^the request must be a JSON object$"):
        await site.connection.fetchval("SELECT netpulse.submit_job($1::text::jsonb)", given)


async def test_sql_is_told_of_another_zone(site: Site) -> None:
    await by_sql(site)
    with pytest.raises(asyncpg.InvalidParameterValueError, match=r"^r1\.example has jobs in the zone default"):
        await by_sql(site, options={"zone": "east"})


async def test_a_change_without_secrets_can_be_confirmed(site: Site, database: str) -> None:
    job = await by_sql(site, command=None, config="hostname r1")
    await site.connection.execute("UPDATE netpulse.job SET confirm_by = now() + interval '1 minute'")
    engine = database_engine(database, connections=1)
    seal = Seal([new_key()])
    intake = Intake(engine, seal, Candidates(engine, load_policy("greedy")), "default")
    others = Principal("others", frozenset({"config"}), credentials=("sites/branch/*",))
    with pytest.raises(Forbidden, match="sites/hq/admin"):
        await confirm(intake, job["id"], others)
    accepted = await confirm(intake, job["id"], Principal("me", frozenset({"config"})))
    await engine.dispose()
    assert accepted is not None
    confirming = await site.job(accepted.id)
    assert (confirming["sealed"], confirming["request"]["credential_ref"]) == (None, {"path": "sites/hq/admin"})
