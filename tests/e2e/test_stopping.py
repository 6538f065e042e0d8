"""Jobs that are stopped: by their own limits, or by a client."""

from drivers.lab import LabDevice, LabProcess, Slow, Stall
from tests.stack import Stack, error_of
from tests.waiting import until

MOMENT_S = 3
"""An abort takes milliseconds; the tests share two cores with other tests."""


def test_execution_timeout_frees_the_device(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version"))
    job = stack.run(device, command=["show clock", "show version"], execution_timeout=1)

    assert (job["status"], error_of(job)) == ("failed", "ExecutionTimeout")
    assert 1 <= job["duration"] < 1 + MOMENT_S
    assert [entry["command"] for entry in job["result"]["retval"]] == ["show clock"]
    lab.wait_sessions(device, 0)
    assert stack.run(device, command="show clock")["status"] == "finished"


def test_execution_timeout_during_the_login(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Slow(at="login", delay_ms=20_000))
    job = stack.run(device, command="show version", execution_timeout=1, connection={"timeout": 20})
    lab.clear_faults(device)

    assert (job["status"], error_of(job)) == ("failed", "ExecutionTimeout")
    assert job["duration"] < 1 + MOMENT_S
    assert stack.run(device, command="show clock")["status"] == "finished"


def test_force_aborts_a_running_query(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version"))
    accepted = stack.submit(device, command="show version")
    lab.wait_received(device, "show version")

    assert stack.cancel(accepted)["cancelled_count"] == 0  # it runs: only force stops it
    assert stack.cancel(accepted, force=True)["aborting"] == [accepted["id"]]
    job = stack.await_job(accepted, MOMENT_S)

    assert (job["status"], error_of(job), job["result"]["type"]) == ("cancelled", "Cancelled", 3)
    assert job["result"]["error"]["outcome"] == "known"
    lab.wait_sessions(device, 0)
    assert stack.run(device, command="show clock")["status"] == "finished"


def test_an_aborted_change_has_an_unknown_outcome(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="description"))
    accepted = stack.submit(device, config=["interface Loopback0", "description x", "shutdown"])
    lab.wait_received(device, "description")
    stack.cancel(accepted, force=True)
    job = stack.await_job(accepted, MOMENT_S)

    assert (job["status"], job["result"]["error"]["outcome"]) == ("cancelled", "unknown")
    assert "shutdown" not in lab.commands(device)
    assert stack.run(device, command="show clock")["status"] == "finished"


def test_a_waiting_job_is_cancelled_at_once(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version"))
    running = stack.submit(device, command="show version")
    lab.wait_received(device, "show version")
    waiting = stack.submit(device, command="show clock")

    assert stack.cancel(waiting)["cancelled_jobs"] == [waiting["id"]]
    assert stack.job(waiting)["status"] == "cancelled"
    lab.clear_faults(device)
    assert stack.await_job(running)["status"] == "finished"
    assert "show clock" not in lab.commands(device)


def test_a_job_that_waits_too_long_expires(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version"))
    running = stack.submit(device, command="show version")
    lab.wait_received(device, "show version")
    waiting = stack.run(device, command="show clock", ttl=0.5)

    assert (waiting["status"], error_of(waiting), waiting["attempts"]) == ("failed", "Expired", 0)
    assert stack.job(running)["status"] == "started"
    lab.clear_faults(device)
    assert stack.await_job(running)["status"] == "finished"
    assert "show clock" not in lab.commands(device)


def test_a_client_that_goes_away_does_not_stop_its_job(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version"))
    body = stack.body(device, command="show version")
    with stack.http.stream("POST", "/device/execute", json=body, params={"wait": 0.3}) as answer:
        answer.read()
        job = answer.json()["data"]
    assert job["status"] in ("queued", "started")
    until(lambda: stack.job(job)["status"] == "started", "it runs on")
    lab.clear_faults(device)
    assert stack.await_job(job)["status"] == "finished"
