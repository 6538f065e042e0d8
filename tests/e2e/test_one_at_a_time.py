"""One job at a time on a device, in order, each on its own login's session; fifo jobs side by side."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from drivers.lab import LabDevice, LabProcess, Slow, Stall
from tests.e2e.conftest import BOB
from tests.stack import Stack
from tests.waiting import until

BOBS_LOGIN = {"username": BOB.name, "password": BOB.password}


def test_jobs_posted_at_once_never_overlap(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Slow(delay_ms=30))
    with ThreadPoolExecutor(8) as clients:
        accepted = list(clients.map(lambda _: stack.submit(device, command=["show clock", "show version"]), range(8)))
    assert {stack.await_job(job)["status"] for job in accepted} == {"finished"}

    entries = [entry for entry in lab.records(device) if entry.line in ("show clock", "show version")]
    assert [entry.line for entry in entries] == ["show clock", "show version"] * 8
    assert len({entry.session for entry in entries}) == 1
    assert lab.overlaps(device) == []
    assert all(before.ended and before.ended <= after.began for before, after in pairwise(entries))


def test_fifty_jobs_run_in_the_order_in_which_they_came(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    commands = [f"show running-config | include n{number}" for number in range(50)]
    for job in [stack.submit(device, command=command) for command in commands]:
        assert stack.await_job(job)["status"] == "finished"

    assert [line for line in lab.commands(device) if "include n" in line] == commands


def test_priority_goes_first_among_those_that_wait(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version", count=1))
    first = stack.submit(device, command="show version")
    lab.wait_received(device, "show version")
    waiting = [stack.submit(device, command="show clock"), stack.submit(device, command="show users", priority=5)]
    lab.clear_faults(device)

    for job in (first, *waiting):
        stack.await_job(job)
    ran = [line for line in lab.commands(device) if line in ("show version", "show clock", "show users")]
    assert ran == ["show version", "show users", "show clock"]


def test_fifo_jobs_run_side_by_side_on_fresh_connections(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    held = stack.run(device, command="show clock")
    lab.set_faults(device, Stall(command="show version"))
    jobs = [stack.submit(device, command="show version", queue_strategy="fifo") for _ in range(3)]

    def running() -> bool:
        return sum(entry.line == "show version" and entry.ended is None for entry in lab.records(device)) == 3

    until(running, "all three run at once")
    lab.clear_faults(device)

    reused = [stack.await_job(job)["result"]["retval"][0]["metadata"]["session_reused"] for job in jobs]
    assert (held["status"], reused) == ("finished", [False] * 3)
    lab.wait_sessions(device, 1)  # theirs are closed, the held one is not
    assert len({entry.session for entry in lab.records(device) if entry.line == "show version"}) == 3


def test_a_pinned_job_does_not_wait_for_another_device(
    stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]
) -> None:
    stalled, free = fresh(), fresh()
    lab.set_faults(stalled, Stall(command="show version"))
    blocked = stack.submit(stalled, command="show version")
    lab.wait_received(stalled, "show version")

    assert stack.run(free, command="show version")["status"] == "finished"
    assert stack.job(blocked)["status"] == "started"
    lab.clear_faults(stalled)
    assert stack.await_job(blocked)["status"] == "finished"


def test_no_user_rides_on_anothers_login(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    for connection in ({}, BOBS_LOGIN, {}, BOBS_LOGIN):
        assert stack.run(device, command="show clock", connection=connection)["status"] == "finished"

    entries = [entry for entry in lab.records(device) if entry.line == "show clock"]
    assert [entry.user for entry in entries] == [lab.username, BOB.name, lab.username, BOB.name]
    admins, bobs = {e.session for e in entries[::2]}, {e.session for e in entries[1::2]}
    assert (len(admins), len(bobs), admins & bobs) == (1, 1, set())


def test_a_wrong_password_never_gets_the_held_session(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    stack.run(device, command="show clock")
    job = stack.run(device, command="show version", connection={"password": "someone-elses"})

    assert job["result"]["error"]["type"] == "AuthenticationFailed"
    assert "show version" not in lab.commands(device)
    assert stack.run(device, command="show clock")["result"]["retval"][0]["metadata"]["session_reused"] is True


def test_two_posts_with_one_idempotency_key_are_one_job(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    body = stack.body(device, config=["ntp server 192.0.2.77"])

    def post(_: int) -> tuple[int, str]:
        answer = stack.http.post("/device/execute", json=body, headers={"Idempotency-Key": f"once-{device.name}"})
        return answer.status_code, answer.json()["data"]["id"]

    with ThreadPoolExecutor(6) as clients:
        answers = list(clients.map(post, range(6)))

    assert sorted(status for status, _ in answers) == [200] * 5 + [201]
    [job] = {job for _, job in answers}
    assert stack.await_job(job)["status"] == "finished"
    assert lab.commands(device).count("ntp server 192.0.2.77") == 1
