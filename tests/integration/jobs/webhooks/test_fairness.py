"""Many deliveries, some of them to receivers that are down or slow: nothing is lost, and nobody waits for another."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.integration.jobs.webhooks.conftest import Hooks, Start
from tests.integration.jobs.webhooks.receiver import OK, Receiver, answer, receiving, saying, silent
from tests.ports import free_port
from tests.waiting import until_async

pytestmark = pytest.mark.anyio


async def test_a_thousand_to_a_dead_receiver_do_not_delay_one_to_a_live_one(
    hooks: Hooks, deliver: Start, receiver: Receiver
) -> None:
    dead = free_port()
    await hooks.due(f"http://127.0.0.1:{dead}/", 1000)
    await deliver(private_urls=f"127.0.0.1:{dead},127.0.0.1:{receiver.port}", concurrency=8)
    job = await hooks.ended(receiver.url)
    await hooks.until_state(job, "delivered")
    [attempt] = await hooks.attempts(job)
    tried_before = await hooks.site.connection.fetchval(
        "SELECT count(*) FROM netpulse.webhook_attempt WHERE started_at < $1", attempt["started_at"]
    )
    assert tried_before < 50  # of a thousand that came first


async def test_one_that_never_answers_keeps_to_its_share(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    async with receiving() as slow:
        slow.behaviour = silent
        places = f"127.0.0.1:{slow.port},127.0.0.1:{receiver.port}"
        await deliver("node:1", private_urls=places, per_receiver=3)
        await deliver("node:2", private_urls=places, per_receiver=3)
        await hooks.due(slow.url, 50, timeout=60)
        await hooks.due(receiver.url, 50)
        await until_async(lambda: _is(len(receiver.received) == 50), "the live one has all")
        assert slow.most_open <= 3
        assert receiver.most_open <= 3


async def _is(truth: bool) -> bool:
    return truth


async def test_a_receiver_that_failed_too_often_is_tried_by_one_at_a_time(
    hooks: Hooks, deliver: Start, receiver: Receiver
) -> None:
    receiver.behaviour = saying(answer(500))
    await hooks.due(receiver.url, 30)
    await deliver(private_urls=f"127.0.0.1:{receiver.port}", failures=3, per_receiver=3, rest_s=3600)

    async def has_failed() -> bool:
        sql = "SELECT failures >= 3 FROM netpulse.webhook_receiver"
        return bool(await hooks.site.connection.fetchval(sql)) and "sending" not in await hooks.states()

    await until_async(has_failed, "it failed three times, and what was under way then has ended")
    tried = len(receiver.received)
    assert tried <= 6
    receiver.received.clear()
    receiver.most_open = 0
    for number in (1, 2):
        await _let_it_rest(hooks)
        await until_async(lambda number=number: _is(len(receiver.received) == number), "one more is tried")  # type: ignore[misc]
    assert receiver.most_open == 1

    receiver.behaviour = saying(OK)
    await _let_it_rest(hooks)
    await hooks.until_states(delivered=30 - tried - 2, due=tried + 2)
    assert await hooks.site.connection.fetch("SELECT FROM netpulse.webhook_receiver") == []


async def _let_it_rest(hooks: Hooks) -> None:
    """As if the receiver had rested; the pauses of what was tried are not over."""

    async def is_idle() -> bool:
        return "sending" not in await hooks.states()

    await until_async(is_idle, "nothing is under way")
    await hooks.site.connection.execute("UPDATE netpulse.webhook_receiver SET rest_until = now()")
    await hooks.site.connection.execute("NOTIFY netpulse_webhook")


async def test_nothing_is_lost_while_a_receiver_is_down_for_an_hour(hooks: Hooks, deliver: Start) -> None:
    """The clock: pauses that are over because their times are moved. 20 retries of 3 minutes make an hour."""
    port = free_port()
    await deliver(private_urls=f"127.0.0.1:{port}", failures=1000)
    await hooks.due(f"http://127.0.0.1:{port}/", 20, max_retries=20, retry_intervals=[180])
    for number in range(1, 20):
        await _until_tried(hooks, number)
        await hooks.let_time_pass()
    await _until_tried(hooks, 20)
    async with receiving(port) as receiver:
        await hooks.let_time_pass()
        await hooks.until_states(delivered=20)
        assert len({told.delivery for told in receiver.received}) == len(receiver.received) == 20
        assert len({told.json["id"] for told in receiver.received}) == 20


async def _until_tried(hooks: Hooks, number: int) -> None:
    """Until each was tried so often."""

    async def look() -> bool:
        sql = "SELECT count(*) FROM netpulse.webhook_delivery WHERE state = 'due' AND attempts = $1"
        return bool(await hooks.site.connection.fetchval(sql, number) == 20)

    await until_async(look, f"each was tried {number} times")


async def test_deliveries_of_one_job_go_in_order(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    job = await hooks.ended(receiver.url, max_retries=1)
    for _ in range(4):
        await _one_more(hooks, job)
    expected = [str(row) for row in await _ids(hooks)]
    failing_once = {expected[0], expected[2]}

    async def fail_some_once(received: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(404) if received.delivery in failing_once else OK)
        failing_once.discard(received.delivery)
        await writer.drain()

    receiver.behaviour = fail_some_once
    await deliver("node:1", private_urls=f"127.0.0.1:{receiver.port}")
    await deliver("node:2", private_urls=f"127.0.0.1:{receiver.port}")
    for _ in range(2):
        await until_async(lambda: _is_waiting_for_its_pause(hooks), "one is to be tried again")
        await hooks.let_time_pass()
    await hooks.until_states(delivered=5)
    first, second, third, fourth, fifth = expected
    assert [told.delivery for told in receiver.received] == [first, first, second, third, third, fourth, fifth]


async def _is_waiting_for_its_pause(hooks: Hooks) -> bool:
    sql = "SELECT FROM netpulse.webhook_delivery WHERE state = 'due' AND attempts > 0 AND next_at > clock_timestamp()"
    return bool(await hooks.site.connection.fetch(sql))


async def _one_more(hooks: Hooks, job: UUID) -> None:
    """Another delivery about the same job, after those that there are."""
    await hooks.site.connection.execute(
        "INSERT INTO netpulse.webhook_delivery (id, job_id, event_type, url, receiver, next_at, sealed) "
        "SELECT netpulse.uuid7(clock_timestamp()), job_id, event_type, url, receiver, clock_timestamp(), sealed "
        "FROM netpulse.webhook_delivery WHERE job_id = $1 LIMIT 1",
        job,
    )


async def _ids(hooks: Hooks) -> list[UUID]:
    return [
        row["id"] for row in await hooks.site.connection.fetch("SELECT id FROM netpulse.webhook_delivery ORDER BY id")
    ]


async def test_failing_receivers_have_half_of_a_worker(hooks: Hooks) -> None:
    for number in range(6):
        await hooks.ended(f"http://dead-{number}.example/", device=f"r{number}")
    await hooks.ended("http://live.example/", device="live")
    await hooks.site.connection.execute(
        "INSERT INTO netpulse.webhook_receiver SELECT receiver, 5, now() FROM netpulse.webhook_delivery "
        "WHERE receiver LIKE '%dead%'"
    )
    claim = "SELECT receiver FROM netpulse.claim_deliveries('node:1', 6, 3, 4, 5, 60)"
    claimed = [row["receiver"] for row in await hooks.site.connection.fetch(claim)]
    assert claimed[0] == "http://live.example:80"
    assert len(claimed) == 4
