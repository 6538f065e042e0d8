"""Deliveries: made with the job's end, brought to their receiver, tried again, given up, put back."""

import asyncio
import json
from typing import Any

import pytest

from jobs.webhooks.signature import signature
from tests.integration.jobs.conftest import Site
from tests.integration.jobs.webhooks.conftest import Hooks, Start
from tests.integration.jobs.webhooks.receiver import OK, Received, Receiver, answer, receiving, saying, silent
from tests.ports import free_port
from tests.waiting import until_async

pytestmark = pytest.mark.anyio


def local(*receivers: Receiver) -> dict[str, Any]:
    """Settings that allow these."""
    return {"private_urls": ",".join(f"127.0.0.1:{receiver.port}" for receiver in receivers)}


async def test_a_finished_job_is_told_with_what_was_asked_for(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    await deliver(**local(receiver))
    job = await hooks.ended(
        f"{receiver.url}?token=Uq8-in-the-query",
        headers={"X-Site": "hq"},
        cookies={"session": "Ck3-cookie", "b": "2"},
        auth=["robot", "Pw5-password"],
        secret="Sg9-signing-secret",
    )
    row = await hooks.until_state(job, "delivered")

    [told] = receiver.received
    assert (told.method, told.path) == ("POST", "/hook?token=Uq8-in-the-query")
    assert told.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert told.headers["x-site"] == "hq"
    assert told.headers["cookie"] == "session=Ck3-cookie; b=2"
    assert told.headers["authorization"] == "Basic cm9ib3Q6UHc1LXBhc3N3b3Jk"
    assert told.headers["content-type"] == "application/json"
    assert told.headers["user-agent"] == "NetPulse"
    assert told.headers["x-netpulse-event"] == "job.completed"
    assert told.delivery == str(row["id"])
    timestamp = told.headers["x-netpulse-timestamp"]
    assert told.headers["x-netpulse-signature"] == signature("Sg9-signing-secret", timestamp, told.body)
    said = told.json
    assert (said["id"], said["status"], said["event_type"], said["final"]) == (
        str(job),
        "finished",
        "job.completed",
        True,
    )
    assert (row["url"], row["receiver"], row["sealed"]) == (f"{receiver.name}/***", receiver.name, None)
    [attempt] = await hooks.attempts(job)
    assert (attempt["status"], attempt["error"], attempt["worker"]) == (200, None, "node:1")


async def test_every_end_makes_a_delivery_in_its_own_transaction(hooks: Hooks, site: Site, receiver: Receiver) -> None:
    failed, cancelled, expired, lost = [await hooks.submit(receiver.url, device=f"r{n}") for n in range(4)]
    await site.cancel(job=cancelled)
    await site.connection.execute("UPDATE netpulse.job SET expires_at = now() WHERE id = $1", expired)
    await site.connection.execute("SELECT netpulse.expire_jobs(10)")
    worker = await site.worker()
    await site.claim(worker)
    await site.finish(worker, failed, state="failed", error_type="Unreachable", error_message="…")
    await site.connection.execute("UPDATE netpulse.job SET attempts = 5 WHERE id = $1", lost)
    await site.reap(worker)

    events = [(await hooks.delivery(job))["event_type"] for job in (failed, cancelled, expired, lost)]
    assert events == ["job.failed", "job.cancelled", "job.failed", "job.failed"]
    assert await site.connection.fetchval("SELECT count(*) FROM netpulse.webhook_secret") == 0
    assert {row["sealed"] for row in await site.connection.fetch("SELECT sealed FROM netpulse.job")} == {None}


async def test_an_end_that_is_rolled_back_tells_nobody(hooks: Hooks, site: Site, receiver: Receiver) -> None:
    job = await hooks.submit(receiver.url)
    transaction = site.connection.transaction()
    await transaction.start()
    await site.cancel(job=job)
    assert await hooks.states() == {"due": 1}
    await transaction.rollback()
    assert await hooks.states() == {}
    assert await site.connection.fetchval("SELECT count(*) FROM netpulse.webhook_secret") == 1


async def test_only_the_events_that_were_asked_for(hooks: Hooks, site: Site, receiver: Receiver) -> None:
    await hooks.ended(receiver.url, events=["job.failed"])
    await site.submit_one("r2")
    assert await hooks.states() == {}
    assert await site.connection.fetchval("SELECT count(*) FROM netpulse.webhook_secret") == 0


@pytest.mark.parametrize("webhook", ["text", {"url": 7}, {"url": "http://[::1/"}, {"events": {}}, {"url": None}, {}])
async def test_nothing_that_sql_clients_write_stops_a_jobs_end(hooks: Hooks, site: Site, webhook: Any) -> None:
    job = await site.submit_one(strategy="fifo", request={"command": ["c"], "options": {"webhook": webhook}})
    await hooks.end(job)
    assert await site.states(job) == ["finished"]


async def test_a_webhook_without_secrets_may_come_by_sql(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    await deliver(**local(receiver))
    request = {"command": ["c"], "options": {"webhook": {"url": receiver.url}}}
    job = await hooks.site.submit_one(strategy="fifo", request=request)
    await hooks.end(job)
    assert (await hooks.until_state(job, "delivered"))["url"] == f"{receiver.name}/***"
    assert len(receiver.received) == 1


async def test_it_is_tried_again_at_the_given_intervals(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    receiver.behaviour = saying(answer(500))
    await deliver(**local(receiver), failures=100)
    job = await hooks.ended(receiver.url, max_retries=3, retry_intervals=[10, 100])
    pauses = []
    for number in (1, 2, 3):
        await hooks.until_state(job, "due", number)
        sql = "SELECT extract(epoch FROM next_at - clock_timestamp())::float FROM netpulse.webhook_delivery"
        pauses.append(await hooks.site.connection.fetchval(sql))
        await hooks.let_time_pass()
    row = await hooks.until_state(job, "failed", 4)

    assert 7 < pauses[0] <= 12
    assert all(75 < pause <= 120 for pause in pauses[1:])
    assert row["sealed"] is not None
    attempts = await hooks.attempts(job)
    assert [attempt["error"] for attempt in attempts] == ["The receiver answered 500."] * 4
    assert len({told.delivery for told in receiver.received}) == 1


async def test_what_was_given_up_can_be_put_back(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    receiver.behaviour = saying(answer(404))
    await deliver(**local(receiver))
    job = await hooks.ended(receiver.url, max_retries=0)
    row = await hooks.until_state(job, "failed")
    receiver.behaviour = saying(OK)
    redeliver = "SELECT netpulse.redeliver($1)"
    assert await hooks.site.connection.fetchval(redeliver, row["id"])
    await hooks.until_state(job, "delivered", 2)
    assert not await hooks.site.connection.fetchval(redeliver, row["id"])


async def test_the_secrets_of_what_was_given_up_go_after_a_while(
    hooks: Hooks, deliver: Start, receiver: Receiver
) -> None:
    receiver.behaviour = saying(answer(404))
    first = await deliver(**local(receiver))
    job = await hooks.ended(receiver.url, max_retries=0)
    row = await hooks.until_state(job, "failed")
    first.cancel()
    await deliver(**local(receiver), keep_s=0)

    async def look() -> bool:
        return (await hooks.delivery(job))["sealed"] is None

    await until_async(look, "the sealed part is gone")
    assert not await hooks.site.connection.fetchval("SELECT netpulse.redeliver($1)", row["id"])


async def test_410_is_final(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    receiver.behaviour = saying(answer(410))
    await deliver(**local(receiver))
    job = await hooks.ended(receiver.url)
    await hooks.until_state(job, "failed", 1)


@pytest.mark.parametrize(("status", "wish", "least"), [(503, "300", 299), (429, "999999", 3500), (500, "300", 0)])
async def test_a_receiver_may_say_when(
    hooks: Hooks, deliver: Start, receiver: Receiver, status: int, wish: str, least: float
) -> None:
    receiver.behaviour = saying(answer(status, f"Retry-After: {wish}"))
    await deliver(**local(receiver))
    job = await hooks.ended(receiver.url)
    await hooks.until_state(job, "due")
    pause = await hooks.site.connection.fetchval(
        "SELECT extract(epoch FROM next_at - created_at)::float FROM netpulse.webhook_delivery"
    )
    assert least <= pause < least + 200


async def _trickling(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
    while True:
        writer.write(b"a")
        await writer.drain()
        await asyncio.sleep(0.01)  # of the receiver's, which never ends


async def _broken_off(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()


async def _cut_body(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


async def _flood(_received: Received, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


@pytest.mark.parametrize(
    ("behaviour", "error"),
    [
        (silent, "did not answer in 0.5 s"),
        (_trickling, "did not answer in 0.5 s"),
        (_broken_off, "broke off"),
        (saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "broke off"),
        (saying(answer(302, "Location: http://169.254.169.254/")), "redirects are not followed"),
        (saying(answer(401)), "answered 401"),
    ],
)
async def test_what_is_no_success(hooks: Hooks, deliver: Start, receiver: Receiver, behaviour: Any, error: str) -> None:
    receiver.behaviour = behaviour
    await deliver(**local(receiver))
    job = await hooks.ended(receiver.url, timeout=0.5, max_retries=0)
    await hooks.until_state(job, "failed")
    [attempt] = await hooks.attempts(job)
    assert error in attempt["error"]
    assert attempt["duration_s"] < 5


@pytest.mark.parametrize("behaviour", [_cut_body, _flood, saying(answer(204)), saying(answer(202))])
async def test_what_is_one(hooks: Hooks, deliver: Start, receiver: Receiver, behaviour: Any) -> None:
    receiver.behaviour = behaviour
    await deliver(**local(receiver))
    await hooks.until_state(await hooks.ended(receiver.url), "delivered")


async def test_a_receiver_that_is_not_there(hooks: Hooks, deliver: Start) -> None:
    port = free_port()
    await deliver(private_urls=f"127.0.0.1:{port}")
    job = await hooks.ended(f"http://127.0.0.1:{port}/", max_retries=0)
    await hooks.until_state(job, "failed")
    assert "No connection" in (await hooks.attempts(job))[0]["error"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0", "127.1", "2130706433"])
async def test_loopback_is_refused_whatever_its_name(
    hooks: Hooks, deliver: Start, receiver: Receiver, host: str
) -> None:
    await deliver()
    job = await hooks.ended(f"http://{host}:{receiver.port}/hook")
    await hooks.until_state(job, "failed")
    assert "no public address" in (await hooks.attempts(job))[0]["error"]
    assert receiver.received == []


async def test_a_template_makes_the_body(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    await deliver(**local(receiver))
    template = '{"text": {{ ("Job on " ~ device_name ~ " is " ~ status) | tojson }}}'
    await hooks.until_state(await hooks.ended(receiver.url, template=template), "delivered")
    assert receiver.received[0].json == {"text": "Job on r1 is finished"}


async def test_a_template_that_fails_says_so(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    await deliver(**local(receiver))
    job = await hooks.ended(receiver.url, template="{{ nothing.like.this }}", max_retries=0)
    await hooks.until_state(job, "failed")
    assert "The template made no body" in (await hooks.attempts(job))[0]["error"]
    assert receiver.received == []


async def test_a_get_has_no_body(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    await deliver(**local(receiver))
    await hooks.until_state(await hooks.ended(receiver.url, method="GET", secret="s3cret-key"), "delivered")
    [told] = receiver.received
    assert (told.method, told.body) == ("GET", b"")
    expected = signature("s3cret-key", told.headers["x-netpulse-timestamp"], b"")
    assert told.headers["x-netpulse-signature"] == expected


async def test_a_long_payload_is_cut_and_says_so(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    await deliver(**local(receiver), max_bytes=8192)
    job = await hooks.submit(receiver.url)
    worker = await hooks.site.worker()
    await hooks.site.claim(worker)
    await hooks.site.start(worker, job)
    await hooks.site.record(worker, job, "é" * 100_000)
    await hooks.site.finish(worker, job)
    await hooks.until_state(job, "delivered")
    [told] = receiver.received
    assert len(told.body) <= 8192
    said = json.loads(told.body)
    assert said["cut"]
    assert said["result"]["retval"][0]["stdout"].endswith("[cut by NetPulse: 100000 characters in all]")


async def test_a_lost_workers_delivery_is_taken_up_after_its_lease(
    hooks: Hooks, deliver: Start, receiver: Receiver
) -> None:
    job = await hooks.ended(receiver.url)
    claim = "SELECT count(*) FROM netpulse.claim_deliveries('gone:1', 10, 10, 4, 5, 60)"
    assert await hooks.site.connection.fetchval(claim) == 1
    assert await hooks.site.connection.fetchval(claim) == 0
    await hooks.site.connection.execute("UPDATE netpulse.webhook_delivery SET next_at = clock_timestamp()")
    await deliver(**local(receiver))
    await hooks.until_state(job, "delivered", 2)
    attempts = await hooks.attempts(job)
    assert [(one["worker"], one["error"]) for one in attempts] == [
        ("gone:1", "The worker that sent it was lost."),
        ("node:1", None),
    ]


async def test_a_worker_that_stops_gives_back_what_it_has(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    receiver.behaviour = silent
    first = await deliver("node:1", **local(receiver))
    job = await hooks.ended(receiver.url, timeout=60)
    await hooks.until_state(job, "sending")

    async def asked() -> bool:
        return receiver.open_now == 1

    await until_async(asked, "the receiver is asked")
    first.cancel()
    receiver.behaviour = saying(OK)
    await deliver("node:2", **local(receiver))
    await hooks.until_state(job, "delivered", 2)
    assert (await hooks.attempts(job))[0]["error"] == "The worker that sent it was stopped."


async def test_ipv6_and_default_ports_are_one_receiver_each(hooks: Hooks) -> None:
    sql = "SELECT netpulse.receiver_of($1)"
    for origin, name in {
        "https://Hooks.example": "https://hooks.example:443",
        "http://[::1]": "http://[::1]:80",
        "http://[::1]:8080": "http://[::1]:8080",
        "ftp://a": "none",
        "http://a:b": "none",
    }.items():
        assert await hooks.site.connection.fetchval(sql, origin) == name


async def test_nobody_hears_of_it_twice_from_two_workers(hooks: Hooks, deliver: Start) -> None:
    async with receiving() as receiver:
        await deliver("node:1", **local(receiver), per_receiver=8)
        await deliver("node:2", **local(receiver), per_receiver=8)
        await hooks.due(receiver.url, 100)
        await hooks.until_states(delivered=100)
        assert len({told.delivery for told in receiver.received}) == len(receiver.received) == 100
        assert receiver.most_open <= 8
