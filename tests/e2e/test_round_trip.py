"""The main road: HTTP, queue, worker, SSH, device, PostgreSQL, and back."""

from drivers.lab import LabDevice, LabProcess, Stall
from tests.e2e.conftest import BOB
from tests.stack import Stack, error_of, outputs_of
from tests.waiting import until

BOBS_LOGIN = {"username": BOB.name, "password": BOB.password}


def test_a_command_by_http(stack: Stack, device: LabDevice) -> None:
    accepted = stack.submit(device, command="show version")
    job = stack.await_job(accepted)

    assert (accepted["status"], accepted["queue"]) == ("queued", f"pinned_{device.host}")
    assert (job["id"], job["status"], job["attempts"]) == (accepted["id"], "finished", 1)
    assert job["result"]["type"] == 1
    [entry] = job["result"]["retval"]
    assert f"{device.name} uptime is" in entry["stdout"]
    assert (entry["command"], entry["exit_status"], entry["stderr"]) == ("show version", 0, "")
    assert entry["metadata"]["session_reused"] is False


def test_the_rows_of_a_finished_job(stack: Stack, device: LabDevice) -> None:
    job = stack.run(device, command=["show clock", "show version"])

    [row] = stack.rows("SELECT * FROM netpulse.job WHERE id = %s", job["id"])
    assert (row["state"], row["outcome"], row["sealed"], row["queue_job_id"]) == ("finished", "known", None, None)
    assert row["request"]["connection_args"]["password"] == "***"
    assert row["created_at"] <= row["started_at"] <= row["ended_at"]
    outputs = stack.rows(
        """SELECT * FROM netpulse.job_output JOIN netpulse.output_text USING (digest)
            WHERE job_id = %s ORDER BY position""",
        job["id"],
    )
    assert [(row["position"], row["command"], row["verdict"]) for row in outputs] == [
        (0, "show clock", "done"),
        (1, "show version", "done"),
    ]
    assert [row["body"] for row in outputs] == outputs_of(job)
    assert stack.rows("SELECT FROM procrastinate_jobs WHERE lock = %s", f"{device.host}:{device.port}") == []


def test_a_warm_command_uses_the_held_session(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    stack.run(device, command="show clock")
    job = stack.run(device, command="show clock")

    assert job["result"]["retval"][0]["metadata"]["session_reused"] is True
    assert lab.stats(device).connections == 1


def test_each_command_is_recorded_as_it_ends(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version"))
    accepted = stack.submit(device, command=["show clock", "show version"])

    seen = until(lambda: job if (job := stack.job(accepted))["result"] else None, "the first output")
    lab.clear_faults(device)

    assert seen["status"] == "started"
    assert [entry["command"] for entry in seen["result"]["retval"]] == ["show clock"]
    assert len(outputs_of(stack.await_job(accepted))) == 2


def test_a_change(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    job = stack.run(device, config=["interface Loopback0", "description made by a test"])

    assert job["status"] == "finished"
    assert [entry["metadata"]["verdict"] for entry in job["result"]["retval"]] == ["done", "done"]
    assert " description made by a test" in lab.running_config(device)
    assert " description made by a test" not in (lab.startup_config(device) or [])


def test_save_keeps_the_change(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    job = stack.run(device, config=["ntp server 192.0.2.9"], driver_args={"save": True})

    assert job["status"] == "finished"
    assert "ntp server 192.0.2.9" in (lab.startup_config(device) or [])


def test_a_refused_line_stops_a_change(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    job = stack.run(device, config=["interface Loopback0", "no such line", "description never"])

    assert (job["status"], error_of(job)) == ("failed", "CommandRejected")
    assert [(e["metadata"]["verdict"], e["exit_status"]) for e in job["result"]["retval"]] == [
        ("done", 0),
        ("refused", 1),
        ("skipped", None),
    ]
    assert "Invalid input" in outputs_of(job)[1]
    assert job["result"]["error"]["outcome"] == "known"
    assert "description never" not in lab.commands(device)
    assert stack.run(device, command="show clock")["status"] == "finished"


def test_a_refused_command_fails_the_job_and_the_rest_still_run(stack: Stack, device: LabDevice) -> None:
    job = stack.run(device, command=["show nonsense", "show clock"])

    assert (job["status"], error_of(job)) == ("failed", "CommandRejected")
    assert [entry["exit_status"] for entry in job["result"]["retval"]] == [1, 0]


def test_the_next_job_copes_with_another_hostname(stack: Stack, device: LabDevice) -> None:
    renamed = stack.run(device, config=["hostname renamed-by-test"])
    job = stack.run(device, command="show version")

    assert renamed["status"] == "finished"
    assert outputs_of(job)[0].startswith("Cisco IOS Software")
    assert "renamed-by-test uptime is" in outputs_of(job)[0]


def test_enable_mode_where_the_login_has_no_privileges(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    job = stack.run(device, command="show running-config", connection=BOBS_LOGIN)

    assert job["status"] == "finished"
    [entry] = [entry for entry in lab.records(device) if entry.line == "show running-config"]
    assert (entry.user, entry.mode) == (BOB.name, "exec")


def test_a_wrong_enable_password_fails_the_login(stack: Stack, device: LabDevice) -> None:
    job = stack.run(device, command="show clock", connection={**BOBS_LOGIN, "secret": "not-the-secret"})

    assert (job["status"], error_of(job)) == ("failed", "AuthenticationFailed")
