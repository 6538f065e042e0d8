"""Files as the API keeps them, and what becomes of them."""

from collections.abc import AsyncIterator
from hashlib import sha256
from random import Random
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from drivers.errors import TooLarge
from jobs.seal import Seal, SealBroken, new_key
from jobs.storage import PIECE_BYTES, Storage, shown_name
from tests.integration.jobs.conftest import Site, new_job

pytestmark = pytest.mark.anyio

SEAL = Seal([new_key()])
CONTENT = Random(3).randbytes(PIECE_BYTES + 1)


async def chunks(content: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    """As a client sends it."""
    for first in range(0, len(content), size):
        yield content[first : first + size]


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """The API's way to the database."""
    engine = create_async_engine(database.replace("postgresql:", "postgresql+asyncpg:"), isolation_level="AUTOCOMMIT")
    yield engine
    await engine.dispose()


@pytest.fixture
def storage(engine: AsyncEngine) -> Storage:
    return Storage(engine, SEAL, 2 * PIECE_BYTES)


async def row(site: Site, file_id: UUID) -> asyncpg.Record:
    return await site.connection.fetchrow("SELECT * FROM netpulse.stored_file WHERE id = $1", file_id)


async def pieces(site: Site) -> list[bytes]:
    rows = await site.connection.fetch("SELECT data FROM netpulse.file_piece ORDER BY file_id, first_byte")
    return [found["data"] for found in rows]


@pytest.mark.parametrize(
    "content", [CONTENT, CONTENT[:PIECE_BYTES], b"short", b""], ids=["two", "full", "short", "empty"]
)
async def test_what_was_received_comes_back(site: Site, storage: Storage, content: bytes) -> None:
    file = await storage.receive("conf/start.cfg", chunks(content))

    assert (file.name, file.size_bytes, file.sha256) == ("start.cfg", len(content), sha256(content).hexdigest())
    assert (await row(site, file.id))["state"] == "whole"
    assert b"".join([piece async for piece in storage.content(file.id, file.size_bytes)]) == content


async def test_pieces_are_sealed(site: Site, storage: Storage, engine: AsyncEngine) -> None:
    file = await storage.receive("x", chunks(b"snmp-server community not-for-all"))
    [sealed] = await pieces(site)

    assert b"not-for-all" not in sealed
    other = Storage(engine, Seal([new_key()]), 1)
    with pytest.raises(SealBroken):
        [_ async for _ in other.content(file.id, 1)]


async def test_one_that_is_too_large_is_swept(site: Site, storage: Storage) -> None:
    with pytest.raises(TooLarge):
        await storage.receive("x", chunks(bytes(2 * PIECE_BYTES + 1)))
    assert await pieces(site) != []
    await site.connection.execute("SELECT netpulse.sweep_files(100)")

    assert await pieces(site) == []
    assert await site.connection.fetchval("SELECT count(*) FROM netpulse.stored_file") == 0


async def test_one_that_nobody_submits_is_given_up_in_a_day(site: Site, storage: Storage) -> None:
    file = await storage.receive("x", chunks(CONTENT))
    assert await site.connection.fetchval("SELECT netpulse.sweep_files(100)") == 0
    found = await row(site, file.id)
    assert (found["expires_at"] - found["created_at"]).total_seconds() == pytest.approx(86_400, abs=60)


async def test_a_submitted_one_is_its_jobs(site: Site, storage: Storage) -> None:
    file = await storage.receive("x", chunks(CONTENT))
    job = new_job("h1", operation="upload", idempotency_key="k", request_hashes=["h"])
    submit = "SELECT * FROM netpulse.submit_upload($1, $2)"
    first = await site.connection.fetchrow(submit, [job], file.id)
    again = await storage.receive("x", chunks(CONTENT))
    replayed = await site.connection.fetchrow(submit, [job], again.id)
    conflict = await site.connection.fetchrow(submit, [{**job, "request_hashes": ["other"]}], again.id)
    await site.connection.execute("SELECT netpulse.sweep_files(100)")

    assert (first["created"], replayed["created"], replayed["id"], conflict["conflict"]) == (
        True,
        False,
        first["id"],
        True,
    )
    assert ((await row(site, file.id))["job_id"], (await row(site, file.id))["expires_at"]) == (first["id"], None)
    assert await row(site, again.id) is None
    assert len(await pieces(site)) == 2


@pytest.mark.parametrize("end", ["cancelled", "expired", "lost"])
async def test_it_follows_its_job_however_that_ends(site: Site, storage: Storage, end: str) -> None:
    file = await storage.receive("x", chunks(CONTENT))
    ttl = -1 if end == "expired" else 300
    job = new_job("h1", operation="upload", strategy="fifo", ttl_s=ttl)
    submitted = await site.connection.fetchrow("SELECT * FROM netpulse.submit_upload($1, $2)", [job], file.id)
    if end == "cancelled":
        assert await site.cancel(job=submitted["id"]) == [(submitted["id"], False)]
    elif end == "expired":
        assert await site.connection.fetchval("SELECT netpulse.expire_jobs(10)") == 1
    else:
        worker = await site.worker()
        assert await site.claim(worker) == [submitted["id"]]
        await site.connection.execute("SELECT netpulse.reap_worker($1, NULL, true)", worker)
    assert await site.connection.fetchval("SELECT netpulse.sweep_files(100)") == 2

    found = await storage.find(file.id)
    assert found is not None
    assert (found.kept, found.state) == (False, "whole")


async def test_a_job_that_is_forgotten_takes_its_file_along(site: Site, storage: Storage) -> None:
    file = await storage.receive("x", chunks(CONTENT))
    job = new_job("h1", operation="upload", strategy="fifo")
    await site.connection.fetchrow("SELECT * FROM netpulse.submit_upload($1, $2)", [job], file.id)
    await site.connection.execute("DELETE FROM netpulse.job")

    assert await pieces(site) == []


async def test_a_piece_that_is_gone_is_noticed(storage: Storage) -> None:
    file = await storage.receive("x", chunks(CONTENT))
    with pytest.raises(LookupError):
        [_ async for _ in storage.content(file.id, len(CONTENT) + 1)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/etc/passwd", "passwd"),
        ("flash:\\a\\b.cfg", "b.cfg"),
        ("a\r\nb", "a__b"),
        ("", "file"),
        ("/", "file"),
        ("x" * 300, "x" * 255),
    ],
)
def test_names(path: str, name: str) -> None:
    assert shown_name(path) == name
