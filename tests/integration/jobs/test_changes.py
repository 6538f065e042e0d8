"""A change with checks around it, its way back, and its confirmation: what is asked of the device, and what is kept."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from typing_extensions import override

from drivers.base import Arguments, Capabilities, Change, Reply, Report, Session, Target, Verdict
from drivers.errors import CommandRejected, SessionLost, Unreachable
from drivers.pool import PoolLimits, SessionPool
from jobs.changes import change_name
from jobs.database import Pool
from jobs.queue import Claimed, JobQueue
from jobs.results import ErrorType, Outcome, Rollback
from jobs.run import run_job
from jobs.seal import Seal, new_key
from jobs.world import World
from tests.integration.jobs.conftest import Site, new_job, queue_worker
from tests.unit.drivers.fakes import FakeDriver, FakeSession

pytestmark = pytest.mark.anyio

SEAL = Seal([new_key()])
CHECKS = {"before": [{"command": "show up", "contains": "up"}], "after": [{"command": "show up", "contains": "up"}]}


class Changing(FakeSession):
    """Says `up` until a line `down` is applied. What is in `device.trouble` is raised by the call of that name."""

    def __init__(self, target: Target, device: "ChangingDriver") -> None:
        super().__init__(target)
        self._device = device

    @override
    def run_commands(self, commands: Sequence[str], args: Arguments, report: Report) -> None:
        self._meet("query" if not self._device.applied else "query after")
        for command in commands:
            self._said(report, command, self._device.state)

    @override
    def apply_config(self, change: Change, report: Report) -> str | None:
        self.guard()
        self._device.calls.append((change.name, "apply", change.undoable))
        for line in change.lines:
            self._said(report, line, "")
        self._meet("apply")
        if not change.args.dry_run:
            self._device.state, self._device.applied = change.lines[-1], True
        return f"+{change.lines[-1]}"

    def undo(self, change: Change, report: Report) -> None:
        self._meet("undo")
        self._device.calls.append((change.name, "undo", change.undoable))
        self._device.state = "up"
        self._said(report, "restore", "")

    def keep(self, change: Change, report: Report) -> None:
        self._device.calls.append((change.name, "keep", change.undoable))

    def confirm(self, change: Change, report: Report) -> None:
        self._meet("confirm")
        self._device.calls.append((change.name, "confirm", change.undoable))

    def _said(self, report: Report, command: str, text: str) -> None:
        report(Reply(command, text, Verdict.DONE, datetime.now(UTC), 0.0))

    def _meet(self, call: str) -> None:
        if error := self._device.trouble.pop(call, None):
            raise error


class ChangingDriver(FakeDriver):
    """One device, whatever the session."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.applied = "up", False
        self.calls: list[tuple[str, str, bool]] = []
        self.trouble: dict[str, Exception] = {}
        self.able = Capabilities(dry_run=True, rollback=True, revert_in=True)

    @override
    def session(self, target: Target) -> Session:
        return Changing(target, self)

    @override
    def capabilities(self, device_type: str | None) -> Capabilities:
        return self.able


class Bench:
    """A worker's world around one such device."""

    def __init__(self, site: Site, pool: Pool, worker: int) -> None:
        self.site, self.driver = site, ChangingDriver()
        self.sessions = SessionPool({"fake": self.driver}, PoolLimits(), on_let_go=lambda _key: None)
        self.queue = JobQueue(pool, worker)
        self.world = World({"netmiko": self.driver}, self.sessions, SEAL, self.queue, lambda: None)

    async def claimed(self, *lines: str, operation: str = "config", **request: Any) -> Claimed:
        """A job of these lines that the worker has claimed."""
        public = {operation: list(lines)} | request
        sealed = SEAL.seal(json.dumps({"connection_args": {"host": "r1"}}))
        await self.site.submit(new_job(operation=operation, request=public, sealed=sealed))
        [job] = await self.queue.claim(queue_worker(self.queue.worker_id), 1)
        return job

    async def run(self, job: Claimed) -> Outcome:
        """Run it, and keep its end."""
        outcome = await run_job(self.world, job)
        assert await self.queue.finish([(job, outcome)]) == {job.id}
        return outcome

    async def change(self, *lines: str, **request: Any) -> Outcome:
        return await self.run(await self.claimed(*lines, **request))

    @property
    def done(self) -> list[str]:
        """The calls that change something, in order."""
        return [call for _, call, _ in self.driver.calls]


@pytest.fixture
async def bench(site: Site, pool: Pool) -> AsyncIterator[Bench]:
    bench = Bench(site, pool, await site.worker())
    yield bench
    await bench.sessions.close()


async def test_a_change_with_good_checks_stays(bench: Bench) -> None:
    outcome = await bench.change("up", options={"checks": CHECKS})

    assert (outcome.state, outcome.difference, outcome.rollback) == ("finished", "+up", None)
    assert bench.done == ["apply", "keep"]
    assert [reply.phase for reply in outcome.outputs] == ["before", "main", "after"]


async def test_without_checks_nothing_is_prepared_for_undoing(bench: Bench) -> None:
    outcome = await bench.change("down")

    assert (outcome.state, bench.driver.calls[0][2], bench.done) == ("finished", False, ["apply"])


async def test_a_failing_check_before_stops_the_change(bench: Bench) -> None:
    bench.driver.state = "down"
    outcome = await bench.change("up", options={"checks": CHECKS})

    assert (outcome.error_type, outcome.outcome, bench.done) == (ErrorType.CHECK_FAILED, "known", [])
    assert outcome.error_message == (
        "1 of 1 checks before the change failed: the output of 'show up' does not contain 'up'."
    )


async def test_a_failing_check_after_undoes_the_change(bench: Bench) -> None:
    outcome = await bench.change("down", options={"checks": CHECKS})

    assert (outcome.state, outcome.error_type, outcome.outcome) == ("failed", ErrorType.CHECK_FAILED, "known")
    assert (outcome.rollback, bench.driver.state, bench.done) == (Rollback.DONE, "up", ["apply", "undo"])
    assert str(outcome.error_message).endswith("does not contain 'up'. The change was undone.")
    assert [reply.phase for reply in outcome.outputs] == ["before", "main", "after", "undo"]


async def test_what_cannot_be_undone_stays_and_the_job_says_so(bench: Bench) -> None:
    bench.driver.able = Capabilities()
    outcome = await bench.change("down", options={"checks": CHECKS})

    assert (outcome.rollback, outcome.outcome, bench.driver.state) == (Rollback.IMPOSSIBLE, "known", "down")
    assert "stays as it is" in str(outcome.error_message)


async def test_a_failed_undoing_leaves_the_outcome_unknown(bench: Bench) -> None:
    bench.driver.trouble = {"undo": CommandRejected("no")}
    outcome = await bench.change("down", options={"checks": CHECKS})

    assert (outcome.rollback, outcome.outcome, bench.driver.state) == (Rollback.FAILED, "unknown", "down")
    assert outcome.error_type is ErrorType.CHECK_FAILED


async def test_a_refused_line_is_undone_where_asked(bench: Bench) -> None:
    bench.driver.trouble = {"apply": CommandRejected("line 1 of 1 was refused")}
    outcome = await bench.change("down", options={"rollback": True})

    assert (outcome.error_type, outcome.rollback) == (ErrorType.COMMAND_REJECTED, Rollback.DONE)
    assert bench.done == ["apply", "undo"]


async def test_a_session_lost_after_the_change_is_undone_on_another(bench: Bench) -> None:
    bench.driver.trouble = {"query after": SessionLost("gone")}
    outcome = await bench.change("down", options={"checks": CHECKS})

    assert (outcome.error_type, outcome.rollback) == (ErrorType.REPLY_TIMEOUT, Rollback.DONE)
    assert (bench.driver.state, outcome.outcome, bench.done) == ("up", "known", ["apply", "undo"])


async def test_an_undoing_that_is_cut_off_has_failed(bench: Bench) -> None:
    bench.driver.trouble = {"undo": ValueError("a driver's own fault")}
    outcome = await bench.change("down", options={"checks": CHECKS})

    assert (outcome.error_type, outcome.rollback) == (ErrorType.DRIVER_FAULT, Rollback.FAILED)
    assert (outcome.outcome, bench.driver.state) == ("unknown", "down")


async def test_after_a_change_was_made_no_error_means_that_the_device_saw_nothing(bench: Bench) -> None:
    bench.driver.trouble = {"query after": Unreachable("the held session was closed by the device")}
    outcome = await bench.change("down", options={"checks": CHECKS, "rollback": False})

    assert (outcome.error_type, outcome.outcome, bench.driver.state) == (ErrorType.UNREACHABLE, "unknown", "down")


async def test_a_confirmation_without_an_answer_is_not_known(bench: Bench) -> None:
    made = await bench.claimed("up", driver_args={"revert_in": 60})
    await bench.run(made)
    bench.driver.trouble = {"confirm": SessionLost("gone")}
    outcome = await bench.run(await bench.claimed(operation="confirm", confirm=str(made.id)))

    assert (outcome.error_type, outcome.outcome) == (ErrorType.REPLY_TIMEOUT, "unknown")
    assert (await _job(bench, made))["confirmed_at"] is None


async def test_a_change_is_never_applied_again_after_it_was_made(bench: Bench) -> None:
    await bench.run(await bench.claimed("show up", operation="command"))  # the session is reused from here on
    bench.driver.trouble = {"query after": Unreachable("the held session was closed by the device")}
    outcome = await bench.change("down", options={"checks": CHECKS, "retry": 3})

    assert (bench.done, outcome.rollback) == (["apply", "undo"], Rollback.DONE)


async def test_a_dry_run_changes_nothing_and_keeps_the_difference(bench: Bench) -> None:
    job = await bench.claimed("down", options={"dry_run": True, "checks": CHECKS})
    outcome = await bench.run(job)
    row = await bench.site.connection.fetchrow("SELECT difference, outcome FROM netpulse.job WHERE id = $1", job.id)

    assert row is not None
    assert (outcome.state, row["difference"], bench.driver.state) == ("finished", "+down", "up")
    assert [reply.phase for reply in outcome.outputs] == ["before", "main"]


async def test_a_change_to_be_confirmed_keeps_its_login_until_then(bench: Bench) -> None:
    job = await bench.claimed("up", driver_args={"revert_in": 60})
    await bench.run(job)
    row = await _job(bench, job)
    assert row["sealed"] is not None
    assert 55 < (row["confirm_by"] - row["ended_at"]).total_seconds() <= 60

    sealed = row["sealed"].decode()
    await bench.site.submit(new_job(operation="confirm", request={"confirm": str(job.id)}, sealed=sealed))
    [confirming] = await bench.queue.claim(queue_worker(bench.queue.worker_id), 1)
    outcome = await bench.run(confirming)

    assert (outcome.state, bench.driver.calls[-1][:2]) == ("finished", (change_name(job.id), "confirm"))
    row = await _job(bench, job)
    assert (row["sealed"], row["confirmed_at"] is not None) == (None, True)


async def test_the_login_of_what_nobody_confirms_is_forgotten(bench: Bench) -> None:
    job = await bench.claimed("up", driver_args={"revert_in": 1})
    await bench.run(job)
    late = "UPDATE netpulse.job SET confirm_by = clock_timestamp() - interval '1 second'"
    await bench.site.connection.execute(late)

    assert await bench.site.connection.fetchval("SELECT netpulse.forget_unconfirmed()") == 1
    row = await _job(bench, job)
    assert (row["sealed"], row["confirmed_at"]) == (None, None)


async def _job(bench: Bench, job: Claimed) -> Any:
    return await bench.site.connection.fetchrow("SELECT * FROM netpulse.job WHERE id = $1", job.id)
