"""Several workers: devices even out when one joins, zones part them, and operators stop them."""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from drivers.lab import LabDevice, LabProcess, Slow, Stall
from jobs.worker import FENCED
from tests.process import Process
from tests.stack import SHORT_LIVED, Job, Stack, error_of
from tests.waiting import until


@pytest.fixture
def stack(database: str, lab: LabProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A site with one worker, for one test."""
    settings = {**SHORT_LIVED, "NETPULSE_WORKER__BEAT_S": "0.5"}
    with Stack(database, tmp_path_factory.mktemp("logs"), lab, settings=settings) as stack:
        yield stack


def key(device: LabDevice) -> str:
    return f"{device.host}:{device.port}"


def held_by(stack: Stack, worker: Process) -> set[str]:
    """Keys of the devices that `worker` holds, as PostgreSQL has it."""
    sql = """SELECT d.key FROM netpulse.device AS d JOIN netpulse.worker AS w ON w.id = d.worker_id
              WHERE w.pid = %s AND w.state <> 'dead'"""
    return {row["key"] for row in stack.rows(sql, worker.pid)}


def sessions_of(stack: Stack, worker: Process) -> set[str]:
    """Keys of the devices on which `worker` reports a session."""
    sql = """SELECT s.device_key FROM netpulse.session AS s JOIN netpulse.worker AS w ON w.id = s.worker_id
              WHERE w.pid = %s"""
    return {row["device_key"] for row in stack.rows(sql, worker.pid)}


def id_of(stack: Stack, worker: Process) -> int:
    return int(stack.rows("SELECT max(id) AS id FROM netpulse.worker WHERE pid = %s", worker.pid)[0]["id"])


def stop(stack: Stack, worker: Process, *, force: bool) -> None:
    id_ = id_of(stack, worker)
    [row] = stack.rows("SELECT netpulse.stop_workers(ARRAY[%s::bigint], %s) AS told", id_, force)
    assert row["told"] == [id_]


def run_all(stack: Stack, devices: list[LabDevice], command: str = "show clock") -> list[Job]:
    """One job on each device, all at once; ended."""
    jobs = [stack.submit(device, command=command) for device in devices]
    ended = [stack.await_job(job) for job in jobs]
    assert {job["status"] for job in ended} == {"finished"}
    return ended


def pid_of(job: Job) -> int:
    return int(job["worker"].rpartition(":")[2])


def test_devices_even_out_and_no_job_is_disturbed(
    stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]
) -> None:
    first, devices = stack.worker, [fresh() for _ in range(20)]
    run_all(stack, devices)
    busy = devices[0]
    lab.set_faults(busy, Stall(command="show version", count=1))
    running = stack.submit(busy, command="show version")
    lab.wait_received(busy, "show version")
    behind = [stack.submit(busy, command=f"show running-config | include n{n}") for n in range(3)]
    second = stack.start_worker()
    until(lambda: len(held_by(stack, second)) == 10, "half of the devices change hands")
    moved = [device for device in devices if key(device) in held_by(stack, second)]

    assert busy not in moved
    for device in moved:
        lab.wait_sessions(device, 0)  # the first worker has closed its session there
    assert stack.job(running)["status"] == "started"
    ended = run_all(stack, moved)
    assert {pid_of(job) for job in ended} == {second.pid}
    assert {job["result"]["retval"][0]["metadata"]["session_reused"] for job in ended} == {False}
    lab.clear_faults(busy)
    ended = [stack.await_job(job) for job in (running, *behind)]
    assert {(job["status"], pid_of(job), job["attempts"]) for job in ended} == {("finished", first.pid, 1)}
    assert [line for line in lab.commands(busy) if "include n" in line] == [
        f"show running-config | include n{n}" for n in range(3)
    ]
    kept = {key(device) for device in devices} - {key(device) for device in moved}
    until(lambda: (sessions_of(stack, first), sessions_of(stack, second)) == (kept, held_by(stack, second)), "reports")


def test_order_is_kept_while_devices_change_hands(
    stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]
) -> None:
    devices = [fresh() for _ in range(8)]
    run_all(stack, devices)
    for device in devices:
        lab.set_faults(device, Slow(delay_ms=5))
    commands = [f"show running-config | include n{n}" for n in range(12)]
    jobs, second = [], None
    for number, command in enumerate(commands):
        jobs += [stack.submit(device, command=command) for device in devices]
        if number == 2:
            second = stack.start_worker()
    assert {stack.await_job(job)["status"] for job in jobs} == {"finished"}
    assert second is not None
    until(lambda: len(held_by(stack, second)) == 4, "half of the devices change hands")

    for device in devices:
        assert [line for line in lab.commands(device) if "include n" in line] == commands
        assert lab.overlaps(device) == []


def test_a_lost_notice_is_made_good(stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]) -> None:
    device, first = fresh(), stack.worker
    run_all(stack, [device])
    second = stack.start_worker()
    with psycopg.connect(stack.database_url) as connection:
        sql = "UPDATE netpulse.device SET worker_id = %s, epoch = epoch + 1 WHERE key = %s"
        connection.execute(sql, [id_of(stack, second), key(device)])

    until(lambda: "sessions.foreign" in first.text(), "the first worker has compared")
    lab.wait_sessions(device, 0)


def test_zones_have_their_own_workers(stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]) -> None:
    device, near = fresh(), stack.worker
    far = stack.start_worker({"NETPULSE_WORKER__ZONE": "far"})
    assert pid_of(run_all(stack, [device])[0]) == near.pid
    job = stack.run(device, command="show version", zone="far")

    assert (job["status"], pid_of(job)) == ("finished", far.pid)
    assert held_by(stack, far) == {key(device)}
    until(lambda: sessions_of(stack, near) == set(), "the old holder has let go")
    lab.wait_sessions(device, 1)


def test_draining_from_outside_is_what_sigterm_does(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version", count=1))
    running = stack.submit(device, command="show version")
    lab.wait_received(device, "show version")
    leaving, staying = stack.worker, stack.start_worker()
    stop(stack, leaving, force=False)
    until(lambda: "worker.draining" in leaving.text(), "it drains")
    waiting = stack.submit(device, command="show clock")
    assert leaving.running
    lab.clear_faults(device)

    assert leaving.wait() == 0
    assert (stack.await_job(running)["status"], pid_of(stack.job(running))) == ("finished", leaving.pid)
    assert (stack.await_job(waiting)["status"], pid_of(stack.job(waiting))) == ("finished", staying.pid)


def test_a_forced_cancel_reaches_a_worker_that_drains(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version"))
    running = stack.submit(device, command="show version")
    lab.wait_received(device, "show version")
    leaving = stack.worker
    leaving.terminate()
    until(lambda: "worker.draining" in leaving.text(), "it drains")
    stack.cancel(running, force=True)

    assert error_of(stack.await_job(running, 5)) == "Cancelled"
    assert leaving.wait() == 0


def test_by_force_it_ends_at_once_and_says_what_is_lost(
    stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]
) -> None:
    query, change = fresh(), fresh()
    lab.set_faults(query, Stall(command="show version", count=1))
    lab.set_faults(change, Stall(command="description", count=1))
    asked = stack.submit(query, command="show version")
    applied = stack.submit(change, config=["interface Loopback0", "description x", "shutdown"])
    lab.wait_received(query, "show version")
    lab.wait_received(change, "description")
    waiting = stack.submit(query, command="show clock")
    leaving, staying = stack.worker, stack.start_worker()
    stop(stack, leaving, force=True)

    assert leaving.wait(3) == FENCED
    ended = [stack.await_job(job) for job in (asked, applied)]
    assert [error_of(job) for job in ended] == ["WorkerLost"] * 2
    assert [job["result"]["error"]["outcome"] for job in ended] == ["known", "unknown"]
    assert (stack.await_job(waiting)["status"], pid_of(stack.job(waiting))) == ("finished", staying.pid)
    assert lab.commands(query).count("show version") == 1
    assert "shutdown" not in lab.commands(change)


def test_letting_go_closes_what_rests_only(stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]) -> None:
    rests, runs = fresh(), fresh()
    run_all(stack, [rests, runs])
    lab.set_faults(runs, Stall(command="show version", count=1))
    running = stack.submit(runs, command="show version")
    lab.wait_received(runs, "show version")
    asked = {name for host in {rests.host, runs.host} for name in _ask_release(stack, host)}

    assert asked == {key(rests), key(runs)}
    until(lambda: held_by(stack, stack.worker) == {key(runs)}, "the device is released")
    lab.wait_sessions(rests, 0)
    lab.clear_faults(runs)
    assert stack.await_job(running)["status"] == "finished"


def _ask_release(stack: Stack, host: str) -> list[str]:
    [row] = stack.rows("SELECT netpulse.ask_release(%s) AS keys", host)
    return list(row["keys"])
