"""Keys in PostgreSQL, recognised by the API: which count, for how long, and what asking costs."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from app import migrations
from app.auth import Keyring
from app.envelope import Problem
from app.known_keys import FRESH_S, MOST_SEEN, KnownKeys
from app.postgres import EmbeddedPostgres
from app.services import database_engine
from jobs.invalid import validated
from jobs.key_entry import KeyEntry
from jobs.key_text import new_id, new_text
from jobs.keys import Keys
from tests.integration.app.answers import failure, success
from tests.integration.app.keyring import coming_with, make_key
from tests.integration.app.serving import KEY, NAME, in_thread
from tests.integration.app.test_outages import away
from tests.postgres import open_directory
from tests.waiting import until


@pytest.fixture
def key(api: httpx.Client) -> str:
    """A key that may read."""
    return make_key(api, "ours", "read")


@pytest.fixture
def ours(api: httpx.Client, key: str) -> Iterator[httpx.Client]:
    """A client with that key."""
    with coming_with(api.base_url, key) as client:
        yield client


def execute(database: str, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(sql.encode(), values).fetchall()


def refused_at_last(client: httpx.Client) -> tuple[str, float]:
    """The sentence of the first refusal, and when the last request that was not refused began (`time.time`)."""
    begun = [0.0]

    def ask() -> str | None:
        began = time.time()
        if (said := refusal(client)) is None:
            begun.append(began)
        return said

    return until(ask, "the key is refused"), begun[-1]


def refusal(client: httpx.Client) -> str | None:
    """The sentence with which a harmless request is refused; None: it is not."""
    answer = client.get("/job")
    return None if answer.is_success else str(failure(answer, 403)["message"])


@pytest.mark.parametrize("place", ["header", "query", "cookie"])
def test_each_place(api: httpx.Client, key: str, place: str) -> None:
    given: dict[str, Any] = {
        "header": {"headers": {NAME: key}},
        "query": {"params": {NAME: key}},
        "cookie": {"headers": {"Cookie": f"{NAME}={key}"}},
    }
    assert success(httpx.get(f"{api.base_url}/job", **given[place])) == []


def test_a_wrong_secret_is_as_unknown_as_a_wrong_id(api: httpx.Client, key: str) -> None:
    for wrong in (key[:-1] + ("a" if key[-1] != "a" else "b"), new_text(key.split("_")[1]), new_text(new_id())):
        with coming_with(api.base_url, wrong) as client:
            assert refusal(client) == "The API key is not known."


def test_revoked(api: httpx.Client, ours: httpx.Client) -> None:
    """Also in a process that used it a moment ago, and whoever revoked it."""
    assert refusal(ours) is None
    success(api.delete("/key/ours"))
    revoked = time.time()
    said, last = refused_at_last(ours)
    assert said == "The API key was revoked."
    assert last <= revoked + FRESH_S


def test_expired(database: str, api: httpx.Client, ours: httpx.Client) -> None:
    """To the moment, by PostgreSQL's clock: what was read before is not believed any longer than that."""
    execute(database, "UPDATE netpulse.api_key SET expires_at = clock_timestamp() + interval '0.5 s' RETURNING id")
    said, last = refused_at_last(ours)
    assert said == "The API key has expired."
    [(expired, is_over)] = execute(database, "SELECT expires_at, expires_at <= clock_timestamp() FROM netpulse.api_key")
    assert is_over
    assert last <= expired.timestamp()


def test_rotation_counts_at_once(api: httpx.Client, ours: httpx.Client) -> None:
    assert refusal(ours) is None
    text = success(api.post("/key/ours/rotate", json={"grace_s": 3600}))["key"]
    with coming_with(api.base_url, text) as renewed:
        assert refusal(renewed) is None
        assert refusal(ours) is None
        last = success(api.post("/key/ours/rotate", json={}))["key"]
        with coming_with(api.base_url, last) as latest:
            assert refusal(latest) is None
        assert refusal(renewed) == "The API key was replaced by another one."
        assert refusal(ours) == "The API key is not known."


def test_its_use_is_noted(database: str, api: httpx.Client, ours: httpx.Client) -> None:
    assert success(api.get("/key/ours"))["last_used_at"] is None
    with coming_with(api.base_url, new_text(success(api.get("/key/ours"))["id"])) as guessing:
        refusal(guessing)
    assert success(api.get("/key/ours"))["last_used_at"] is None
    assert refusal(ours) is None
    first = until(lambda: success(api.get("/key/ours"))["last_used_at"], "the use is noted")
    assert refusal(ours) is None
    assert success(api.get("/key/ours"))["last_used_at"] == first


def test_who_asks_is_the_key(api: httpx.Client) -> None:
    with coming_with(api.base_url, make_key(api, "writer", "config")) as writer:
        success(writer.post("/template/jinja2/x", json={"template": "x"}))
    assert success(api.get("/template/jinja2/x"))["created_by"] == "writer"


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A migrated server of this module's own, to be stopped."""
    with open_directory() as directory, EmbeddedPostgres(directory / "data", durable=False) as server:
        migrations.upgrade(server.url("postgres"))
        yield server


def test_postgres_away(server: EmbeddedPostgres) -> None:
    """Nobody knows then who that is, except for the key of the settings."""
    with in_thread(server.url("postgres")) as (served, admin):
        key = make_key(admin, "ours", "read")
        server.stop()
        with coming_with(served.url, key) as ours:
            away(ours.get("/health"))
            away(ours.get("/job"))
            assert success(admin.get("/health")) == "ok"
            away(admin.get("/job"))
            server.start()
            assert success(ours.get("/job")) == []


class Counting(Keys):
    """Counts what is asked of PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.engine = database_engine(url, connections=2)
        self.asked: list[int] = []
        super().__init__(self.engine)

    async def with_ids(self, ids: Any) -> Any:
        self.asked.append(len(ids))
        return await super().with_ids(ids)


@pytest.mark.anyio
async def test_what_asking_costs(database: str) -> None:
    """A crowd of one key asks once; a crowd of guesses asks together."""
    keys = Counting(database)
    known = KnownKeys(keys)
    keyring = Keyring(KEY, NAME, known)
    new = await keys.create(validated(KeyEntry, {"name": "ours", "scopes": ["read"]}), "tests")
    assert new is not None
    crowd = await asyncio.gather(*(keyring.recognise(new.text) for _ in range(100)))
    assert {principal.name for principal in crowd} == {"ours"}
    assert keys.asked == [1]
    guesses = [new_text(new_id()) for _ in range(100)]
    said = await asyncio.gather(*(keyring.recognise(guess) for guess in guesses * 2), return_exceptions=True)
    assert all(isinstance(error, Problem) and error.status == 403 for error in said)
    assert sum(keys.asked) == 101
    assert len(keys.asked) <= 3
    assert (await keyring.recognise(KEY)).name == "admin"
    await known.close()
    await keys.engine.dispose()


@pytest.mark.anyio
async def test_what_is_remembered_is_bounded(database: str) -> None:
    keys = Counting(database)
    known = KnownKeys(keys)
    ids = [f"{number:012}" for number in range(MOST_SEEN + 10)]
    await asyncio.gather(*(known.find(key_id, 0) for key_id in ids))
    assert len(keys.asked) == 1
    assert await known.find(ids[-1], 0) is None
    assert len(keys.asked) == 1
    assert await known.find(ids[0], 0) is None
    assert len(keys.asked) == 2
    await known.close()
    await keys.engine.dispose()


@pytest.mark.anyio
async def test_a_client_that_goes_away_takes_no_answer_from_others(database: str) -> None:
    keys = Counting(database)
    known = KnownKeys(keys)
    leaving, staying = (asyncio.create_task(known.find("0123456789ab", 0)) for _ in range(2))
    await asyncio.wait({leaving}, timeout=0)
    leaving.cancel()
    assert await staying is None
    assert leaving.cancelled()
    await known.close()
    await keys.engine.dispose()
