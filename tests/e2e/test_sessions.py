"""What is held between jobs: found dead and opened anew, closed to make room, closed at the end."""

import socket
from collections.abc import Callable, Iterator

import pytest

from drivers.lab import LabDevice, LabProcess, Slow
from tests.stack import Stack
from tests.waiting import until


@pytest.fixture(scope="module")
def stack(module_database: str, lab: LabProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A site whose worker holds two sessions at the most, and asks each for a sign of life before it uses it."""
    settings = {"NETPULSE_WORKER__CAPACITY": "2", "NETPULSE_WORKER__PING_AFTER_S": "0"}
    with Stack(module_database, tmp_path_factory.mktemp("logs"), lab, settings=settings) as stack:
        yield stack


def _listens(device: LabDevice) -> bool:
    try:
        with socket.create_connection((device.host, device.port), 1):
            return True
    except OSError:
        return False


def _held(lab: LabProcess, *devices: LabDevice) -> list[int]:
    return [lab.stats(device).sessions for device in devices]


def test_a_session_found_dead_is_opened_anew(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    stack.run(device, command="show clock")
    lab.restart(device)
    lab.wait_sessions(device, 0)
    until(lambda: _listens(device), "the device is back")
    job = stack.run(device, command="show version")

    assert (job["status"], job["attempts"]) == ("finished", 1)
    assert job["result"]["retval"][0]["metadata"]["session_reused"] is False
    assert lab.commands(device).count("show version") == 1


def test_the_longest_idle_session_makes_room(stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]) -> None:
    a, b, c, d = (fresh() for _ in range(4))
    for device in (a, b, a, c):
        assert stack.run(device, command="show clock")["status"] == "finished"
    lab.wait_sessions(b, 0)
    assert _held(lab, a, b, c, d) == [1, 0, 1, 0]

    stack.run(d, command="show clock")
    lab.wait_sessions(a, 0)
    assert _held(lab, a, b, c, d) == [0, 0, 1, 1]

    sql = "SELECT FROM netpulse.device WHERE worker_id IS NULL AND port = ANY (%s)"
    until(lambda: len(stack.rows(sql, [a.port, b.port])) == 2, "others may hold those devices")


def test_all_devices_at_once_with_little_room(stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]) -> None:
    devices = [fresh() for _ in range(4)]
    for device in devices:
        lab.set_faults(device, Slow(delay_ms=20))
    jobs = [stack.submit(device, command="show version") for device in devices * 3]

    assert {stack.await_job(job)["status"] for job in jobs} == {"finished"}
    assert [lab.overlaps(device) for device in devices] == [[]] * 4
    until(lambda: sum(_held(lab, *devices)) <= 2, "no more than two are held")


def test_the_worker_tells_what_it_holds(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    stack.run(device, command="show clock")

    def held() -> bool:
        [worker] = stack.http.get("/worker").json()["data"]
        return bool(0 < worker["held_sessions"] <= worker["capacity"] == 2)

    until(held, "the heartbeat tells of it")
