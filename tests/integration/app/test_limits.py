"""How many requests a key may make."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.envelope import Problem
from app.limits import Limits
from app.services import database_engine
from jobs.principal import Principal
from tests.integration.app.answers import failure, success
from tests.integration.app.serving import body, in_thread

pytestmark = pytest.mark.anyio

KEY = Principal("ops", frozenset({"query"}), key_id="k1")
SLOW = 6
"""Requests per minute: one more comes ten seconds later, so none comes while a test runs, unless it hangs so long."""


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    engine = database_engine(database, 4)
    yield engine
    await engine.dispose()


def take(url: str, wanted: int, *, per_minute: int = 60, unspent: int = 0, key: str = "k") -> tuple[int, float]:
    """What take_requests says."""
    with psycopg.connect(url) as connection:
        sql = "SELECT granted, wait_s FROM netpulse.take_requests(%s, %s, %s, %s)"
        row = connection.execute(sql, [key, per_minute, wanted, unspent]).fetchone()
    assert row is not None
    return row


def rewind(url: str, seconds: float) -> None:
    """As if the bucket had been filled so long before it was."""
    with psycopg.connect(url) as connection:
        sql = "UPDATE netpulse.request_rate SET filled_at = filled_at - make_interval(secs => %s)"
        assert connection.execute(sql, [seconds]).rowcount == 1


async def admitted(limits: Limits, principal: Principal, requests: int) -> int:
    """How many of so many requests at once are let through."""
    outcomes = await asyncio.gather(*(limits.admit(principal) for _ in range(requests)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert all(isinstance(outcome, Problem) and outcome.status == 429 for outcome in refused), refused
    return requests - len(refused)


def test_a_minutes_worth_at_once_then_evenly(database: str) -> None:
    assert take(database, 50) == (50, 0)
    granted, wait_s = take(database, 50)
    assert granted in (10, 11)
    assert 0 < wait_s <= 1
    rewind(database, 5)
    assert take(database, 50)[0] in (5, 6)
    rewind(database, 3600)
    assert take(database, 100)[0] == 60


def test_what_was_not_spent_goes_back(database: str) -> None:
    assert take(database, 60)[0] == 60
    assert take(database, 20, unspent=15)[0] in (15, 16)
    assert take(database, 100, unspent=1000)[0] == 60


def test_a_clock_that_was_set_back_costs_nobody_anything(database: str) -> None:
    assert take(database, 60)[0] == 60
    rewind(database, -3600)
    assert take(database, 1)[0] == 0
    rewind(database, 2)
    assert take(database, 1)[0] == 1


def test_keys_do_not_share(database: str) -> None:
    assert take(database, 60)[0] == 60
    assert take(database, 60, key="other")[0] == 60


async def test_never_more_than_the_limit_over_all_processes(database: str) -> None:
    async with AsyncExitStack() as stack:
        limits = []
        for _ in range(3):
            engine = database_engine(database, 2)
            stack.push_async_callback(engine.dispose)
            limits.append(Limits(engine, SLOW))
        counts = await asyncio.gather(*(admitted(each, KEY, 20) for each in limits))
    assert sum(counts) == SLOW


async def test_one_process_gets_all_of_it(engine: AsyncEngine) -> None:
    limits = Limits(engine, 0)
    assert await admitted(limits, replace(KEY, requests_per_minute=100), 100) == 100
    assert await admitted(limits, KEY, 50) == 50


async def test_most_requests_ask_nobody(engine: AsyncEngine) -> None:
    asked: list[str] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    assert await admitted(Limits(engine, 60_000), KEY, 2000) == 2000
    assert 1 <= len([statement for statement in asked if "take_requests" in statement]) < 200


async def test_who_asks_seldom_takes_one_at_a_time(database: str, engine: AsyncEngine) -> None:
    """What waits in one process cannot be spent in another one."""
    assert await admitted(Limits(engine, 60_000), KEY, 1) == 1
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT 60000 - tokens FROM netpulse.request_rate").fetchone() == (1,)


async def test_no_limit_asks_nobody(database: str, engine: AsyncEngine) -> None:
    limits = Limits(engine, 10)
    assert await admitted(limits, replace(KEY, requests_per_minute=0), 100) == 100
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT FROM netpulse.request_rate").fetchall() == []


async def test_a_refusal_says_when(engine: AsyncEngine) -> None:
    limits = Limits(engine, SLOW)
    assert await admitted(limits, KEY, SLOW + 1) == SLOW
    with pytest.raises(Problem) as raised:
        await limits.admit(KEY)
    assert 1 <= int(raised.value.headers["Retry-After"]) <= 10
    assert f"'ops' may make {SLOW} requests per minute" in raised.value.message


def test_waiting_jobs_over_http(database: str) -> None:
    with in_thread(database, queued_jobs=2) as (_, api):
        for _ in range(2):
            success(api.post("/device/execute", json=body()), 201)
        answer = api.post("/device/execute", json=body())
        assert "may have 2 jobs waiting" in failure(answer, 429)["message"]
        assert int(answer.headers["retry-after"]) >= 1
        task = body(driver="paramiko", connection_args={"host": "192.0.2.1", "username": "a", "password": "b"})
        assert "may have 2 jobs waiting" in failure(api.post("/detached-task", json=task), 429)["message"]


def test_over_http(database: str) -> None:
    with in_thread(database, requests_per_minute=SLOW) as (_, api):
        for _ in range(SLOW):
            success(api.get("/health"))
        answer = api.get("/health")
        assert "requests per minute" in failure(answer, 429)["message"]
        assert 1 <= int(answer.headers["retry-after"]) <= 10
        assert api.get("/health/live").status_code == 200
