"""advance_rollouts: waves that begin in turn, and stop by themselves."""

from uuid import UUID, uuid4

import pytest

from tests.integration.jobs.conftest import Site, new_job

pytestmark = pytest.mark.anyio


async def rollout(site: Site, waves: list[list[str]], max_failures: int = 0, **fields: object) -> list[list[UUID]]:
    """A rollout's jobs, by wave; accepted whole."""
    batch = uuid4()
    sql = "INSERT INTO netpulse.rollout (batch_id, max_failures, accepting) VALUES ($1, $2, false)"
    await site.connection.execute(sql, batch, max_failures)
    accepted = []
    for number, devices in enumerate(waves):
        wave = [new_job(device, batch_id=str(batch), wave=number, **fields) for device in devices]
        accepted.append([row["id"] for row in await site.submit(*wave)])
    return accepted


async def advance(site: Site) -> int:
    """How many rollouts are under way."""
    return int(await site.connection.fetchval("SELECT netpulse.advance_rollouts()"))


async def test_a_wave_begins_when_the_one_before_has_ended(site: Site) -> None:
    worker = await site.worker()
    [a, b], [c] = await rollout(site, [["a", "b"], ["c"]])

    assert await site.claim(worker) == [a, b]
    await advance(site)
    assert await site.claim(worker) == []
    await site.finish(worker, a)
    await advance(site)
    assert await site.claim(worker) == []
    await site.finish(worker, b)
    await advance(site)
    assert await site.claim(worker) == [c]
    await site.finish(worker, c)
    assert [await advance(site), await advance(site)] == [1, 0]


async def test_too_many_failures_cancel_what_has_not_begun(site: Site) -> None:
    worker = await site.worker()
    [a, b], [c], [d] = await rollout(site, [["a", "b"], ["c"], ["d"]], max_failures=1)
    await site.claim(worker)
    await site.finish(worker, a, state="failed", error_type="CheckFailed")
    await advance(site)
    assert await site.states(c, d) == ["queued", "queued"]
    await site.finish(worker, b, state="failed", error_type="CheckFailed")
    await advance(site)

    assert await site.states(c, d) == ["cancelled", "cancelled"]
    assert await site.queue() == []
    assert await advance(site) == 0


async def test_nothing_is_decided_while_the_bulk_is_being_accepted(site: Site) -> None:
    worker = await site.worker()
    [a], [b] = await rollout(site, [["a"], ["b"]])
    await site.connection.execute("UPDATE netpulse.rollout SET accepting = true")
    await site.claim(worker)
    await site.finish(worker, a)
    await advance(site)
    assert await site.claim(worker) == []
    late = "UPDATE netpulse.rollout SET created_at = now() - interval '11 minutes'"
    await site.connection.execute(late)
    await advance(site)

    assert await site.claim(worker) == [b]


async def test_the_time_to_live_counts_from_the_release_on(site: Site) -> None:
    worker = await site.worker()
    [a], [b] = await rollout(site, [["a"], ["b"]], ttl_s=60)
    left = "SELECT extract(epoch FROM expires_at - clock_timestamp())::float8 FROM netpulse.job WHERE id = $1"
    assert await site.connection.fetchval(left, b) > 6 * 86_400
    await site.claim(worker)
    await site.finish(worker, a)
    await advance(site)

    assert 50 < await site.connection.fetchval(left, b) <= 60


async def test_a_held_job_can_be_cancelled_and_a_device_is_not_held_up(site: Site) -> None:
    worker = await site.worker()
    [_a], [b] = await rollout(site, [["a"], ["b"]])
    other = await site.submit_one("b")
    assert other in await site.claim(worker)
    await site.cancel(job=b)

    assert await site.states(b) == ["cancelled"]


async def test_fifo_jobs_go_in_waves_too(site: Site) -> None:
    worker = await site.worker()
    [a], [b] = await rollout(site, [["a"], ["b"]], strategy="fifo")
    assert await site.claim(worker) == [a]
    await site.finish(worker, a)
    await advance(site)

    assert await site.claim(worker) == [b]


async def test_too_many_failures_leave_the_rest_of_their_wave_alone(site: Site) -> None:
    worker = await site.worker()
    [a, b, c] = (await rollout(site, [["a", "b", "c"]]))[0]
    assert await site.claim(worker, 2) == [a, b]
    await site.finish(worker, a, state="failed", error_type="CheckFailed")
    await advance(site)

    assert await site.states(b, c) == ["started", "cancelled"]


async def test_what_is_accepted_after_too_many_failures_is_cancelled_too(site: Site) -> None:
    worker = await site.worker()
    [a], [b] = await rollout(site, [["a"], ["b"]])
    await site.connection.execute("UPDATE netpulse.rollout SET accepting = true")
    await site.claim(worker)
    await site.finish(worker, a, state="failed", error_type="CheckFailed")
    await advance(site)
    late = await site.submit_one("c", batch_id=str((await site.job(a))["batch_id"]), wave=2)
    await site.connection.execute("UPDATE netpulse.rollout SET accepting = false")
    await advance(site)

    assert await site.states(b, late) == ["cancelled", "cancelled"]


async def test_a_device_that_moved_to_another_zone_comes_back_for_its_wave(site: Site) -> None:
    here, there = await site.worker(), await site.worker(zone="dmz")
    [a], [b] = await rollout(site, [["a"], ["b"]])
    other = await site.submit_one("b", zone="dmz")
    await site.claim(here)
    await site.finish(here, a)
    assert await site.claim(there) == [other]
    await advance(site)
    assert await site.claim(here) == []  # two workers must not speak to one device
    await site.finish(there, other)
    await advance(site)
    await site.adopt(here)

    assert (await site.claim(there), await site.claim(here)) == ([], [b])
