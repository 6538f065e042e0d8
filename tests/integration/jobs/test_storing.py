"""JobQueue: what devices said reaches PostgreSQL whatever it is, and one bad result harms no other job."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from drivers.base import Reply, Verdict
from jobs.database import Pool
from jobs.queue import Claimed, JobQueue, WorkerDead
from jobs.results import ErrorType, Outcome, Progress, output_row
from tests.integration.jobs.conftest import Site, new_job, queue_worker

pytestmark = pytest.mark.anyio

NASTY = "NUL \x00, a lone surrogate \udcff, an escape \x1b[0m, a backslash \\u0000, all \U0001f600 and 'quotes\""


def reply(stdout: str = "fine", *, duration_s: float = 0.1) -> Reply:
    return Reply("show version", stdout, Verdict.DONE, datetime.now(UTC), duration_s)


async def claimed(site: Site, pool: Pool, count: int, **fields: object) -> tuple[JobQueue, list[Claimed]]:
    """A worker's queue, and jobs that it runs."""
    worker = await site.worker()
    queue = JobQueue(pool, worker)
    await site.submit(*(new_job(f"r{number}", **fields) for number in range(count)))
    return queue, await queue.claim(queue_worker(worker), count)


async def test_text_that_postgresql_cannot_hold(site: Site, pool: Pool) -> None:
    queue, [job] = await claimed(site, pool, 1)
    outcome = Outcome("failed", [reply(NASTY)], ErrorType.DRIVER_FAULT, NASTY)

    assert await queue.finish([(job, outcome)]) == {job.id}
    expected = NASTY.replace("\x00", "\ufffd").replace("\udcff", "?")
    assert await site.outputs(job.id) == [expected]
    assert (await site.job(job.id))["error_message"] == expected


async def test_a_refused_result_does_not_stop_its_batch(site: Site, pool: Pool) -> None:
    queue, jobs = await claimed(site, pool, 3)
    outcomes = [Outcome("finished", [reply(duration_s=duration)]) for duration in (0.1, float("inf"), 0.1)]

    assert await queue.finish(zip(jobs, outcomes, strict=True)) == {job.id for job in jobs}
    assert await site.states(*(job.id for job in jobs)) == ["finished", "failed", "finished"]
    refused = await site.job(jobs[1].id)
    assert (refused["error_type"], refused["outcome"]) == ("DriverFault", "known")
    assert [await site.outputs(job.id) for job in jobs] == [["fine"], [], ["fine"]]
    assert await site.queue() == []


async def test_a_change_whose_result_is_refused_is_unknown(site: Site, pool: Pool) -> None:
    queue, [job] = await claimed(site, pool, 1, operation="config")
    await queue.start(job.id)
    await queue.finish([(job, Outcome("finished", [reply(duration_s=float("nan"))]))])

    row = await site.job(job.id)
    assert (row["state"], row["outcome"]) == ("failed", "unknown")


async def test_results_that_are_not_ours_any_more_leave_nothing(site: Site, pool: Pool) -> None:
    queue, [job] = await claimed(site, pool, 1)
    await site.reap(queue.worker_id)

    assert await queue.finish([(job, Outcome("finished", [reply()]))]) == set()
    assert await site.outputs(job.id) == []


async def test_a_finish_whose_reply_was_lost_counts(site: Site, pool: Pool) -> None:
    queue, jobs = await claimed(site, pool, 2)
    ended = [(job, Outcome("finished", [reply("once")])) for job in jobs]
    await queue.finish(ended[:1])

    assert await queue.finish(ended) == {job.id for job in jobs}
    assert [await site.outputs(job.id) for job in jobs] == [["once"]] * 2


async def test_a_lost_change_is_not_taken_for_a_finish_whose_reply_was_lost(site: Site, pool: Pool) -> None:
    queue, [job] = await claimed(site, pool, 1, operation="config")
    await queue.start(job.id)
    await site.reap(queue.worker_id)

    assert await queue.finish([(job, Outcome("failed", error_type=ErrorType.REPLY_TIMEOUT))]) == set()
    assert (await site.job(job.id))["error_type"] == "WorkerLost"


async def test_outputs_are_kept_as_they_come_and_replaced_at_the_end(site: Site, pool: Pool) -> None:
    queue, [job] = await claimed(site, pool, 1)

    assert await queue.record(job.id, [output_row(job.id, 0, reply("first"), Progress())]) is True
    assert await site.outputs(job.id) == ["first"]
    await queue.finish([(job, Outcome("finished", [reply("first"), reply("second")]))])
    assert await site.outputs(job.id) == ["first", "second"]
    assert await queue.record(job.id, [output_row(job.id, 0, reply("too late"), Progress())]) is False


async def test_everything_about_an_end_is_kept(site: Site, pool: Pool) -> None:
    queue, [job] = await claimed(site, pool, 1)
    outcome = Outcome("failed", (), ErrorType.UNREACHABLE, "no route", "known", session_reused=False, extra_attempts=2)
    await queue.finish([(job, outcome)])

    row = await site.job(job.id)
    assert (row["error_type"], row["error_message"], row["session_reused"]) == ("Unreachable", "no route", False)
    assert (row["attempts"], row["sealed"], row["queue_job_id"]) == (3, None, None)
    assert row["ended_at"] >= row["started_at"]


async def test_the_dead_are_told(site: Site, pool: Pool) -> None:
    queue, [job] = await claimed(site, pool, 1)
    await site.reap(queue.worker_id)

    with pytest.raises(WorkerDead):
        await queue.claim(queue_worker(queue.worker_id), 1)
    with pytest.raises(WorkerDead):
        await queue.reconcile([])
    assert await queue.finish([(job, Outcome("finished"))]) == set()
    assert await queue.start(UUID(int=0)) is False
