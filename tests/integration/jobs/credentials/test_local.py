"""The built-in store of credentials, as the API and as the workers reach it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest
from sqlalchemy import make_url

from app.services import database_engine
from jobs.away import is_database_away
from jobs.credentials.errors import CredentialError, NoSuchCredential
from jobs.credentials.local import LAST_VERSION, Fetch, LocalStore, engine_fetch
from jobs.database import create_pool
from jobs.seal import Seal, new_key
from tests import postgres

pytestmark = pytest.mark.anyio

PASSWORD = "Qx7-kept-in-the-database"
KEY = new_key()
PATH = "sites/hq/admin"


@pytest.fixture(params=["engine", "pool"])
async def fetch(request: pytest.FixtureRequest, database: str) -> AsyncIterator[Fetch]:
    """The API's way to the database, and the workers'."""
    if request.param == "engine":
        engine = database_engine(database, 4)
        yield engine_fetch(engine)
        await engine.dispose()
    else:
        async with await create_pool(database, size=4) as pool:
            yield pool.fetch


@pytest.fixture
def store(fetch: Fetch) -> LocalStore:
    return LocalStore(fetch, Seal([KEY]))


def data(password: str = PASSWORD) -> dict[str, str]:
    return {"username": "admin", "password": password}


async def test_storing_and_reading(store: LocalStore) -> None:
    assert await store.create(PATH, data("old"), {"owner": "Zoë"}, "ann") == 1
    assert await store.create(PATH, data(), None, "bob") == 2
    latest, first = await store.read(PATH), await store.read(PATH, 1)
    assert (latest.data, latest.version, latest.custom_metadata) == (data(), 2, {"owner": "Zoë"})
    assert (first.data, first.version) == (data("old"), 1)
    assert PASSWORD not in repr(latest)
    await store.create(PATH, data(), {}, "bob")
    assert (await store.read(PATH)).custom_metadata == {}
    assert await store.test() == {"credentials": 1, "versions": 3}


async def test_nothing_stands_in_the_clear(store: LocalStore, database: str) -> None:
    await store.create(PATH, data(), {"owner": "ops"}, "ann")
    with psycopg.connect(database) as connection:
        [(sealed, by)] = connection.execute("SELECT sealed, created_by FROM netpulse.credential_version").fetchall()
    assert PASSWORD.encode() not in sealed
    assert b"admin" not in sealed
    assert by == "ann"


@pytest.mark.parametrize(("path", "version"), [("sites/hq", None), (PATH, 2), (PATH, LAST_VERSION + 1), (PATH, 2**70)])
async def test_what_is_not_there(store: LocalStore, path: str, version: int | None) -> None:
    await store.create(PATH, data(), None, "ann")
    with pytest.raises(NoSuchCredential, match=path):
        await store.read(path, version)


async def test_ten_versions_are_kept(store: LocalStore) -> None:
    for number in range(1, 13):
        assert await store.create(PATH, data(str(number)), None, "ann") == number
    about = await store.about(PATH)
    assert [version.version for version in about.versions] == list(range(12, 2, -1))
    assert (about.path, about.current_version, about.custom_metadata) == (PATH, 12, {})
    assert about.created_at < about.versions[-1].created_at < about.versions[0].created_at
    assert about.updated_at >= about.versions[0].created_at
    assert not any(version.deleted_at or version.destroyed for version in about.versions)
    assert (await store.read(PATH, 3)).data["password"] == "3"
    with pytest.raises(NoSuchCredential, match="version 2"):
        await store.read(PATH, 2)


async def test_versions_of_many_writers(store: LocalStore) -> None:
    """Also of those who all make the first one."""
    made = await asyncio.gather(*(store.create(PATH, data(str(number)), None, "ann") for number in range(30)))
    assert sorted(made) == list(range(1, 31))
    latest = await store.read(PATH)
    assert latest.data["password"] == str(made.index(30))
    assert await store.test() == {"credentials": 1, "versions": 10}


async def test_removing(store: LocalStore) -> None:
    await store.create(PATH, data(), {"owner": "ops"}, "ann")
    await store.create("sites/hq/other", data(), None, "ann")
    await store.delete(PATH)
    missing: list[Callable[[str], object]] = [store.read, store.about, store.delete]
    for ask in missing:
        with pytest.raises(NoSuchCredential, match=PATH):
            await ask(PATH)  # type: ignore[misc]
    assert await store.list("", recursive=True) == ["sites/hq/other"]
    assert await store.create(PATH, data(), None, "ann") == 1
    assert (await store.read(PATH)).custom_metadata == {}


async def test_listing(store: LocalStore) -> None:
    paths = ["lab", "lab/a", "lab/b/c", "lab/b/d", "labs/x", "l_b/y", "zoo"]
    for path in reversed(paths):
        await store.create(path, data(), None, "ann")
    assert await store.list("", recursive=False) == ["l_b/", "lab", "lab/", "labs/", "zoo"]
    assert await store.list("", recursive=True) == sorted(paths)
    assert await store.list("lab", recursive=False) == ["lab/a", "lab/b/"]
    assert await store.list("lab", recursive=True) == ["lab/a", "lab/b/c", "lab/b/d"]
    assert await store.list("l_b", recursive=True) == ["l_b/y"]
    assert await store.list("nowhere", recursive=False) == []


async def test_secret_keys(store: LocalStore, fetch: Fetch) -> None:
    await store.create(PATH, data(), None, "ann")
    rotated = LocalStore(fetch, Seal([new_key(), KEY]))
    assert (await rotated.read(PATH)).data == data()
    with pytest.raises(CredentialError, match=f"{PATH} .* NETPULSE_SECRET_KEYS") as raised:
        await LocalStore(fetch, Seal([new_key()])).read(PATH)
    assert PASSWORD not in str(raised.value)


async def test_without_postgresql(store: LocalStore, database: str) -> None:
    """Its errors are known to those who answer for them."""
    await store.test()
    name = make_url(database).database
    with psycopg.connect(postgres.plain(database, "postgres"), autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        with pytest.raises(Exception) as raised:  # noqa: PT011 - which one is asked below
            await store.read(PATH)
    assert is_database_away(raised.value)
