"""Sealing again under the first key, beside everything else that happens to the rows."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import LargeBinary
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from jobs.rotation import KINDS, Count, Kind, rotate
from jobs.seal import Seal, SealBroken, new_key
from jobs.storage import PIECE_BYTES
from jobs.tables import metadata
from tests.integration.jobs.conftest import Site, blocked, new_job

pytestmark = pytest.mark.anyio

OLD, NEW = new_key(), new_key()
BEFORE, DURING, AFTER = Seal([OLD]), Seal([NEW, OLD]), Seal([NEW])
GONE = Seal([new_key()])
PIECES = 20

Table = dict[str, Count]


class Rotating:
    """The rotation on a connection of its own."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def __call__(self, **wishes: Any) -> Table:
        """What became of each kind, by its name, without those of which there is none."""
        counts = await rotate(self._connection, DURING, **wishes)
        return {kind.name: count for kind, count in counts.items() if count != Count()}


@pytest.fixture
async def rotating(database: str) -> AsyncIterator[Rotating]:
    engine = create_async_engine(database.replace("postgresql:", "postgresql+asyncpg:"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        yield Rotating(connection)
    await engine.dispose()


async def sealed_job(site: Site, seal: Seal = BEFORE, **fields: Any) -> UUID:
    return await site.submit_one(sealed=seal.seal("login"), **fields)


async def login(site: Site, job: UUID) -> str | None:
    """The job's login, as one opens it who has the new key alone."""
    sealed = (await site.job(job))["sealed"]
    return None if sealed is None else AFTER.open(sealed)


async def fill(site: Site) -> dict[str, list[bytes]]:
    """Rows of every kind; what opens them later."""
    worker = await site.worker()
    confirming, running, _waiting = [
        await sealed_job(site, device=device, operation="config") for device in ("a", "b", "c")
    ]
    assert await site.claim(worker, 2) == [confirming, running]
    await site.finish(worker, confirming, confirm_in_s=600)
    ended = await sealed_job(site, device="d")
    await site.cancel(job=ended)
    task = {"command": ["sleep 1"], "task": {"action": "start"}}
    await site.connection.fetch(
        "SELECT * FROM netpulse.submit_task($1)",
        new_job("e", operation="task", strategy="fifo", sealed=BEFORE.seal("login"), request=task),
    )
    await site.connection.execute("INSERT INTO netpulse.credential VALUES ('a/b', 2, '{}')")
    for version in (1, 2):
        version_sql = "INSERT INTO netpulse.credential_version VALUES ('a/b', $1, $2, 'tests')"
        await site.connection.execute(version_sql, version, BEFORE.seal("login").encode())
    file_sql = "INSERT INTO netpulse.stored_file (id, direction, name) VALUES ($1, 'upload', 'x')"
    piece_sql = "INSERT INTO netpulse.file_piece VALUES ($1, $2, $3)"
    file = uuid4()
    await site.connection.execute(file_sql, file)
    content = Random(7).randbytes(PIECE_BYTES)
    for number in range(PIECES):
        await site.connection.execute(piece_sql, file, number * PIECE_BYTES, BEFORE.seal_bytes(content))
    return {"data": [content] * PIECES}


async def column(site: Site, kind: Kind) -> list[bytes]:
    """All that is sealed of a kind."""
    name, table = kind.column.name, kind.column.table.name
    rows = await site.connection.fetch(f"SELECT {name} FROM netpulse.{table} WHERE {name} IS NOT NULL")  # noqa: S608
    return [row[0] for row in rows]


def test_no_column_of_what_is_sealed_is_forgotten() -> None:
    binary = {c for table in metadata.tables.values() for c in table.c if isinstance(c.type, LargeBinary)}
    assert {c for c in binary if not c.name.endswith("digest")} == {kind.column for kind in KINDS}


async def test_all_of_every_kind_is_sealed_again_once(site: Site, rotating: Rotating) -> None:
    content = (await fill(site))["data"]
    expected = {"stored credentials": 2, "logins of detached tasks": 1, "logins of jobs": 4, "pieces of files": PIECES}

    assert await rotating(dry_run=True) == {name: Count(number, number) for name, number in expected.items()}
    for kind in KINDS:
        for sealed in await column(site, kind):
            assert kind.resealed(BEFORE, sealed) is None  # nothing was done yet
    assert await rotating(batch=3) == {name: Count(number, number) for name, number in expected.items()}
    for kind in KINDS[:-1]:
        assert [AFTER.open(sealed) for sealed in await column(site, kind)] == ["login"] * expected.get(kind.name, 0)
    assert [AFTER.open_bytes(sealed) for sealed in await column(site, KINDS[-1])] == content
    assert await rotating() == {name: Count(number, 0) for name, number in expected.items()}


@pytest.mark.parametrize("jobs", [1, 2, 5])
async def test_batches_pass_over_no_row(site: Site, rotating: Rotating, jobs: int) -> None:
    ids = [await sealed_job(site) for _ in range(jobs)]
    batches = list[int]()
    assert await rotating(batch=2, note=lambda _kind, count: batches.append(count.looked_at)) == {
        "logins of jobs": Count(jobs, jobs)
    }

    assert [await login(site, id_) for id_ in ids] == ["login"] * jobs
    assert max(late - early for early, late in zip([0, *batches], batches, strict=False)) == min(jobs, 2)


async def test_what_no_key_opens_is_counted_and_left(site: Site, rotating: Rotating) -> None:
    lost, kept = await sealed_job(site, GONE), await sealed_job(site)
    before = (await site.job(lost))["sealed"]

    assert await rotating() == {"logins of jobs": Count(2, 1, broken=1)}
    assert (await site.job(lost))["sealed"] == before
    assert await login(site, kept) == "login"


async def test_an_end_of_the_job_at_the_same_time_wins(site: Site, other: Site, rotating: Rotating) -> None:
    worker = await site.worker()
    ended, later = await sealed_job(site), await sealed_job(site)
    await site.claim(worker)
    transaction = site.connection.transaction()
    await transaction.start()
    await site.finish(worker, ended)
    rotation = asyncio.create_task(rotating())
    await blocked(other)
    await transaction.commit()

    assert (await rotation)["logins of jobs"].resealed == 1
    assert [await login(site, job) for job in (ended, later)] == [None, "login"]


async def test_another_rotation_at_the_same_time_wins(site: Site, other: Site, rotating: Rotating) -> None:
    job = await sealed_job(site)
    theirs = AFTER.seal("login").encode()
    transaction = site.connection.transaction()
    await transaction.start()
    await site.connection.execute("UPDATE netpulse.job SET sealed = $1", theirs)
    rotation = asyncio.create_task(rotating())
    await blocked(other)
    await transaction.commit()

    assert await rotation == {"logins of jobs": Count(1, 0)}
    assert (await site.job(job))["sealed"] == theirs


async def test_a_claim_at_the_same_time_gets_the_job(site: Site, other: Site) -> None:
    """The rotation's statement, held open: the claim waits for it, and has what it wrote."""
    worker = await site.worker()
    job, new = await sealed_job(site), DURING.seal("login").encode()
    transaction = other.connection.transaction()
    await transaction.start()
    await other.connection.execute("UPDATE netpulse.job SET sealed = $1 WHERE id = $2", new, job)
    claim = asyncio.create_task(site.claim_rows(worker))
    await blocked(other)
    await transaction.commit()

    assert [(row["id"], row["sealed"]) for row in await claim] == [(job, new)]


async def test_a_long_transaction_is_not_waited_for_for_ever(site: Site, other: Site, rotating: Rotating) -> None:
    locked, free = await sealed_job(site), await sealed_job(site)
    async with other.connection.transaction():
        await other.connection.execute("SELECT FROM netpulse.job WHERE id = $1 FOR UPDATE", locked)
        assert await rotating(lock_wait_ms=20) == {"logins of jobs": Count(2, 1, locked=1)}

    assert await login(site, free) == "login"
    assert await rotating() == {"logins of jobs": Count(2, 1)}
    assert await login(site, locked) == "login"


class Stop(Exception):
    pass


async def test_one_that_was_interrupted_goes_on(site: Site, rotating: Rotating) -> None:
    jobs = [await sealed_job(site) for _ in range(5)]

    def interrupt(kind: Kind, count: Count) -> None:
        if count.looked_at >= 4:
            raise Stop

    with pytest.raises(Stop):
        await rotating(batch=2, note=interrupt)
    assert [DURING.resealed((await site.job(job))["sealed"]) is None for job in jobs] == [True] * 4 + [False]
    assert await rotating() == {"logins of jobs": Count(5, 1)}
    assert [await login(site, job) for job in jobs] == ["login"] * 5


async def test_a_login_that_was_copied_meanwhile_is_found(database: str, site: Site, rotating: Rotating) -> None:
    """The job that confirms a change has the login of the one that made it: here, as it was before the walk."""
    first, copied = await sealed_job(site), list[str]()

    def copy(kind: Kind, count: Count) -> None:
        if not copied and count.looked_at:
            copied.append(_submit(database, new_job("r2", sealed=BEFORE.seal("login"))))

    assert await rotating(note=copy) == {"logins of jobs": Count(2, 2)}
    assert [await login(site, job) for job in (first, UUID(copied[0]))] == ["login", "login"]


def _submit(database: str, job: dict[str, Any]) -> str:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT id FROM netpulse.submit_jobs(%s)", [json.dumps([job])]).fetchone()
    assert row is not None
    return str(row[0])


# ── ends ──

End = Callable[[Site, int, UUID], Any]


async def _finished(site: Site, worker: int, job: UUID) -> None:
    await site.finish(worker, job)


async def _failed(site: Site, worker: int, job: UUID) -> None:
    await site.finish(worker, job, state="failed", error_type="ReplyTimeout")


async def _aborted(site: Site, worker: int, job: UUID) -> None:
    assert await site.cancel(job=job, force=True) == [(job, True)]
    await site.finish(worker, job, state="cancelled", error_type="Cancelled")


async def _aborted_as_its_worker_died(site: Site, worker: int, job: UUID) -> None:
    await site.cancel(job=job, force=True)
    await site.reap(worker)


async def _lost(site: Site, worker: int, job: UUID) -> None:
    await site.start(worker, job)
    await site.reap(worker)


async def _stopped(site: Site, worker: int, job: UUID) -> None:
    await site.stop_workers(worker, force=True)


async def _confirmed(site: Site, worker: int, job: UUID) -> None:
    await site.finish(worker, job, confirm_in_s=600)
    assert (await site.job(job))["sealed"] is not None
    confirming = await site.submit_one(operation="confirm", request={"confirm": str(job)})
    assert await site.claim(worker) == [confirming]
    await site.finish(worker, confirming)
    assert (await site.job(confirming))["sealed"] is None


async def _never_confirmed(site: Site, worker: int, job: UUID) -> None:
    await site.finish(worker, job, confirm_in_s=-1)
    await site.connection.fetchval("SELECT netpulse.forget_unconfirmed()")


ENDS = {
    "finished": _finished,
    "failed": _failed,
    "cancelled": _aborted,
    "cancelled when its worker died": _aborted_as_its_worker_died,
    "failed with its worker": _lost,
    "failed as its worker was stopped": _stopped,
    "finished and confirmed": _confirmed,
    "finished and never confirmed": _never_confirmed,
}


@pytest.mark.parametrize(("name", "end"), ENDS.items(), ids=ENDS)
async def test_no_running_job_leaves_its_login(site: Site, name: str, end: End) -> None:
    worker = await site.worker()
    job = await sealed_job(site, operation="config")
    assert await site.claim(worker) == [job]
    await end(site, worker, job)

    row = await site.job(job)
    assert (row["state"], row["sealed"]) == (name.split()[0], None)


async def test_no_waiting_job_leaves_its_login(site: Site) -> None:
    expired, cancelled = await sealed_job(site, device="a", ttl_s=-1), await sealed_job(site, device="b")
    worn = await sealed_job(site, device="c")
    await site.connection.execute("UPDATE netpulse.job SET attempts = 4 WHERE id = $1", worn)
    await site.connection.fetchval("SELECT netpulse.expire_jobs(10)")
    await site.cancel(job=cancelled)
    worker = await site.worker()
    await site.adopt(worker)
    assert await site.claim(worker) == [worn]
    await site.reap(worker)

    assert await site.states(expired, cancelled, worn) == ["failed", "cancelled", "failed"]
    assert [(await site.job(job))["sealed"] for job in (expired, cancelled, worn)] == [None] * 3


async def test_no_job_of_a_stopped_rollout_leaves_its_login(site: Site) -> None:
    worker, batch = await site.worker(), uuid4()
    accepted = "INSERT INTO netpulse.rollout (batch_id, max_failures, accepting) VALUES ($1, 0, false)"
    await site.connection.execute(accepted, batch)
    jobs = [await sealed_job(site, device=f"r{wave}", batch_id=str(batch), wave=wave) for wave in range(3)]
    assert await site.claim(worker) == [jobs[0]]
    await site.finish(worker, jobs[0], state="failed", error_type="CheckFailed")
    await site.connection.fetchval("SELECT netpulse.advance_rollouts()")

    assert await site.states(*jobs) == ["failed", "cancelled", "cancelled"]
    assert [(await site.job(job))["sealed"] for job in jobs] == [None] * 3


async def test_a_broken_seal_tells_no_key() -> None:
    with pytest.raises(SealBroken) as told:
        DURING.resealed(GONE.seal("login").encode())
    assert OLD not in str(told.value)
    assert NEW not in str(told.value)
