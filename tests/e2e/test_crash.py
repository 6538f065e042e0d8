"""Workers that are killed, told to leave, or frozen while jobs run: every job ends truthfully, no change runs twice."""

from collections.abc import Callable, Iterator

import pytest

from drivers.lab import LabDevice, LabProcess, Slow, Stall
from jobs.worker import FENCED
from tests.process import Process
from tests.stack import SHORT_LIVED, Stack, error_of
from tests.waiting import until

CHANGE = ["interface Loopback0", "description first", "ip address 192.0.2.3 255.255.255.255"]


@pytest.fixture(scope="module")
def site(module_database: str, lab: LabProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A site where workers that fall silent are soon found dead."""
    with Stack(module_database, tmp_path_factory.mktemp("logs"), lab, settings=SHORT_LIVED) as stack:
        yield stack


@pytest.fixture
def stack(site: Stack) -> Stack:
    """The module's site with one worker that is alive, whatever the test before did."""
    if not site.workers:
        site.start_worker()
    assert len(site.workers) == 1
    return site


def _queue_rows(stack: Stack, device: LabDevice) -> int:
    return len(stack.rows("SELECT FROM procrastinate_jobs WHERE lock = %s", f"{device.host}:{device.port}"))


def test_a_killed_workers_query_runs_again(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version", count=1))
    accepted = stack.submit(device, command=["show clock", "show version"])
    lab.wait_received(device, "show version")
    stack.worker.kill()
    stack.start_worker()
    job = stack.await_job(accepted)

    assert (job["status"], job["attempts"], len(job["result"]["retval"])) == ("finished", 2, 2)
    assert lab.commands(device).count("show version") == 2
    assert _queue_rows(stack, device) == 0


def test_a_change_that_had_begun_is_lost_and_not_sent_again(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="description", count=1))
    accepted = stack.submit(device, config=CHANGE)
    lab.wait_received(device, "description")
    next_job = stack.submit(device, command="show clock")
    stack.worker.kill()
    stack.start_worker()
    job = stack.await_job(accepted)

    assert (job["status"], error_of(job)) == ("failed", "WorkerLost")
    assert job["result"]["error"]["outcome"] == "unknown"
    assert stack.await_job(next_job)["status"] == "finished"
    assert [line for line in lab.commands(device) if line in CHANGE] == CHANGE[:2]


def test_a_change_that_was_logging_in_is_applied_once(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Slow(at="login", delay_ms=20_000, count=1))
    accepted = stack.submit(device, config=CHANGE, connection={"timeout": 30})
    until(lambda: lab.stats(device).connections, "it logs in")
    [row] = stack.rows("SELECT state FROM netpulse.job WHERE id = %s", accepted["id"])
    assert row["state"] == "claimed"
    stack.worker.kill()
    stack.start_worker()
    job = stack.await_job(accepted)

    assert (job["status"], job["attempts"]) == ("finished", 2)
    assert [line for line in lab.commands(device) if line in CHANGE] == CHANGE


def test_jobs_that_waited_for_a_killed_worker_keep_their_order(
    stack: Stack, lab: LabProcess, device: LabDevice
) -> None:
    lab.set_faults(device, Stall(command="show version", count=1))
    commands = ["show version", *(f"show running-config | include n{number}" for number in range(5))]
    jobs = [stack.submit(device, command=command) for command in commands]
    lab.wait_received(device, "show version")
    stack.worker.kill()
    stack.start_worker()

    assert [stack.await_job(job)["status"] for job in jobs] == ["finished"] * 6
    assert [line for line in lab.commands(device) if "include n" in line] == commands[1:]


def test_sigterm_finishes_what_runs_and_hands_over(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    leaving = stack.worker
    lab.set_faults(device, Stall(command="description"))
    running = stack.submit(device, config=CHANGE)
    lab.wait_received(device, "description")
    leaving.terminate()
    until(lambda: "worker.draining" in leaving.text(), "it drains")
    waiting = stack.submit(device, command="show clock")
    lab.clear_faults(device)

    assert leaving.wait() == 0
    lab.wait_sessions(device, 0)
    assert stack.job(running)["status"] == "finished"
    assert stack.job(waiting)["status"] == "queued"
    stack.start_worker()
    assert stack.await_job(waiting)["status"] == "finished"


def test_sigterm_hands_waiting_jobs_to_a_worker_that_stays(
    stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]
) -> None:
    leaving, busy = stack.worker, fresh()
    lab.set_faults(busy, Stall(command="show version"))
    running = stack.submit(busy, command="show version")
    lab.wait_received(busy, "show version")
    staying = stack.start_worker()
    leaving.terminate()
    until(lambda: "worker.draining" in leaving.text(), "it drains")
    elsewhere = [stack.run(fresh(), command="show version") for _ in range(4)]

    assert leaving.running
    assert {job["status"] for job in elsewhere} == {"finished"}
    assert {job["worker"].rpartition(":")[2] for job in elsewhere} == {str(staying.pid)}
    lab.clear_faults(busy)
    assert stack.await_job(running)["status"] == "finished"
    assert leaving.wait() == 0


def _freeze_during(stack: Stack, lab: LabProcess, device: LabDevice, line: str) -> Process:
    """Freeze the worker while the device chews on `line`, and return it once another one has taken over."""
    lab.wait_received(device, line)
    frozen = stack.worker
    frozen.freeze()
    taking_over = stack.start_worker()
    until(lambda: "worker.reaped" in taking_over.text(), "the frozen one is declared dead")
    return frozen


def test_a_frozen_worker_writes_nothing_after_it_wakes(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="description", count=1))
    change = stack.submit(device, config=CHANGE)
    frozen = _freeze_during(stack, lab, device, "description")
    job, after = stack.await_job(change), stack.run(device, command="show clock")
    lab.clear_faults(device)  # the prompt that the frozen worker waits for
    frozen.thaw()

    assert frozen.wait() == FENCED
    assert (error_of(job), job["result"]["error"]["outcome"]) == ("WorkerLost", "unknown")
    assert after["status"] == "finished"
    assert [line for line in lab.commands(device) if line in CHANGE] == CHANGE[:2]
    assert stack.job(change) == job


def test_a_frozen_workers_query_runs_elsewhere(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version", count=1))
    query = stack.submit(device, command=["show version", "show clock"])
    frozen = _freeze_during(stack, lab, device, "show version")
    job = stack.await_job(query)
    lab.clear_faults(device)
    frozen.thaw()

    assert frozen.wait() == FENCED
    assert (job["status"], job["attempts"], len(job["result"]["retval"])) == ("finished", 2, 2)
    assert lab.commands(device).count("show clock") == 1
    assert stack.job(query) == job
