"""The keys in PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from app.services import database_engine
from jobs.invalid import validated
from jobs.key_entry import KeyEntry
from jobs.key_text import digest_of, id_in
from jobs.keys import Keys, Made, NoLongerCounts, owner

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """As the service has it."""
    engine = database_engine(database, connections=2)
    yield engine
    await engine.dispose()


@pytest.fixture
def keys(engine: AsyncEngine) -> Keys:
    """The keys of the test's own database: none."""
    return Keys(engine)


async def made(keys: Keys, name: str = "ours", **fields: Any) -> Made:
    """A new key."""
    new = await keys.create(validated(KeyEntry, {"name": name, "scopes": ["read"], **fields}), "tests")
    assert new is not None
    return new


def rows(database: str, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(sql.encode()).fetchall()


async def test_only_a_digest_is_kept(keys: Keys, database: str) -> None:
    text = (await made(keys)).text
    assert text not in repr(await keys.create(validated(KeyEntry, {"name": "b", "scopes": ["read"]}), "tests"))
    [(everything,)] = rows(database, "SELECT string_agg(k::text, '') FROM netpulse.api_key AS k WHERE name = 'ours'")
    assert digest_of(text) in everything
    assert text.rpartition("_")[2] not in everything


async def test_what_is_made_is_found(keys: Keys) -> None:
    fields: dict[str, Any] = {
        "hosts": ["10.0.0.0/8"],
        "credentials": ["a/*"],
        "requests_per_minute": 5,
        "queued_jobs": 0,
    }
    new = await made(keys, **fields, description="d", expires_in_days=1)
    row = await keys.find("ours")
    assert row == new.row
    assert row is not None
    assert (row.id, row.status, row.created_by, row.description) == (id_in(new.text), "active", "tests", "d")
    assert {name: getattr(row, name) for name in fields} == fields
    assert not {"digest", "previous_digest"} & set(row._fields)
    principal = owner(row)
    assert (principal.name, principal.key_id, principal.scopes) == ("ours", row.id, frozenset({"read"}))
    assert (principal.requests_per_minute, principal.queued_jobs) == (5, 0)
    assert principal.reaches("10.1.2.3")
    assert not principal.reaches("r1")


async def test_a_name_is_for_ever(keys: Keys) -> None:
    await made(keys)
    entry = validated(KeyEntry, {"name": "ours", "scopes": ["admin"]})
    assert await keys.create(entry, "tests") is None
    assert (await keys.revoke("ours")) is not None
    assert await keys.create(entry, "tests") is None
    assert [row.name for row in await keys.every()] == ["ours"]


async def test_revoked_once(keys: Keys) -> None:
    await made(keys)
    first, again = await keys.revoke("ours"), await keys.revoke("ours")
    assert first is not None
    assert again is not None
    assert (first.status, first.revoked_at) == ("revoked", again.revoked_at)
    assert await keys.revoke("other") is None


async def test_rotation(keys: Keys, database: str) -> None:
    before = await made(keys)
    after = await keys.rotate("ours", 60)
    assert after is not None
    assert id_in(after.text) == id_in(before.text)
    [row] = await keys.with_ids([before.row.id, "none"])
    assert (row.digest, row.previous_digest) == (digest_of(after.text), digest_of(before.text))
    assert 50 < row.previous_left_s <= 60
    assert row.left_s is None
    assert await keys.rotate("other", 0) is None


async def test_what_no_longer_counts_is_not_rotated(keys: Keys, database: str) -> None:
    await made(keys)
    await made(keys, "old", expires_in_days=1)
    await keys.revoke("ours")
    rows(database, "UPDATE netpulse.api_key SET expires_at = now() WHERE name = 'old' RETURNING id")
    assert [row.status for row in await keys.every()] == ["expired", "revoked"]
    for name in ("ours", "old"):
        with pytest.raises(NoLongerCounts):
            await keys.rotate(name, 0)


async def test_use_is_noted_once_a_minute(keys: Keys, database: str) -> None:
    key_id = (await made(keys)).row.id
    noted = "SELECT last_used_at, xmin::text FROM netpulse.api_key"
    await keys.note_use(key_id)
    first = rows(database, noted)
    assert first[0][0] is not None
    await keys.note_use(key_id)
    assert rows(database, noted) == first
    rows(database, "UPDATE netpulse.api_key SET last_used_at = now() - interval '61 seconds' RETURNING id")
    await keys.note_use(key_id)
    assert rows(database, noted)[0][0] > first[0][0]


BAD = {
    "name": "name = 'Upper'",
    "reserved": "name = 'admin'",
    "scopes": "scopes = '{write}'",
    "no-scopes": "scopes = '{}'",
    "previous": "previous_digest = 'x'",
    "limits": "queued_jobs = -1",
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
async def test_the_table_refuses(keys: Keys, database: str, change: str) -> None:
    await made(keys)
    with pytest.raises(psycopg.errors.CheckViolation):
        rows(database, f"UPDATE netpulse.api_key SET {change} RETURNING id")  # noqa: S608 - the tests' own texts
