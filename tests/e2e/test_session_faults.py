"""A device that dies, or falls silent, in the middle of a command: each driver's job ends at once, the next is well."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drivers.lab import LabDevice, LabProcess, Stall
from tests import postgres
from tests.cable import Cable, cable
from tests.sshd import sshd, user
from tests.stack import Job, Stack, error_of
from tests.waiting import until

DRIVERS = ("netmiko", "napalm", "pyeapi", "paramiko")
SOON_S = 0.5
ENDING_S = 1
"""For whether a Linux host is still there to end the command that took too long, and for the way of the news."""

every = pytest.mark.parametrize("driver", DRIVERS)


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[str, LabProcess]]:
    with LabProcess(devices=6) as ios, LabProcess(devices=6, persona="eos", prefix="E") as eos:
        yield {"netmiko": ios, "napalm": ios, "pyeapi": eos}


@pytest.fixture(scope="module")
def stack(
    postgres_url: str, template: str, labs: dict[str, LabProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    settings = {"NETPULSE_WORKER__HOST_KEYS": "off"}  # a cable has another port each time
    with (
        postgres.new_database(postgres_url, template) as url,
        Stack(url, tmp_path_factory.mktemp("logs"), labs["netmiko"], settings=settings) as stack,
    ):
        yield stack


@dataclass
class Case:
    """A device behind a cable, and a command of it that lasts."""

    stack: Stack
    cable: Cable
    body: dict[str, Any]
    lasting: str
    short: str
    lab: LabProcess | None = None
    device: LabDevice | None = None

    def begun(self, **driver_args: Any) -> Job:
        """The lasting command, once it is under way on the device."""
        answer = self.stack.http.post(
            "/device/execute", json={**self.body, "command": self.lasting, "driver_args": driver_args}
        )
        assert answer.status_code == 201, answer.text
        job: Job = answer.json()["data"]
        if self.lab is not None and self.device is not None:
            self.lab.wait_received(self.device, self.lasting)
        else:
            self.stack.await_started(job)
            until(lambda: self.cable.connections, "the login begins")
            self._settle()
        return job

    def _settle(self) -> None:
        """Nothing more comes from the server: the command runs."""
        seen = [-1]

        def quiet() -> bool:
            seen.append(self.cable.received)
            return len(seen) > 20 and len(set(seen[-20:])) == 1

        until(quiet, "the device is busy with the command")

    def run_short(self) -> Job:
        """A command that is answered, on a new session."""
        if self.lab is not None:
            self.lab.clear_faults(self.device)
        self.cable.release()
        answer = self.stack.http.post("/device/execute?wait=20", json={**self.body, "command": self.short})
        job: Job = answer.json()["data"]
        return job


@pytest.fixture
def case(stack: Stack, labs: dict[str, LabProcess], driver: str, tmp_path: Path) -> Iterator[Case]:
    with ExitStack() as cleanup:
        if driver == "paramiko":
            server = cleanup.enter_context(sshd(tmp_path))
            laid = cleanup.enter_context(cable(server.port))
            login = {"host": "127.0.0.1", "port": laid.port, "username": user(), "pkey": server.key.read_text()}
            yield Case(stack, laid, {"driver": driver, "connection_args": login}, "sleep 30", "true")
            return
        lab = labs[driver]
        device = _unused(lab)
        laid = cleanup.enter_context(cable(device.https_port or device.port))
        kind = {"netmiko": {"device_type": "cisco_ios"}, "napalm": {"device_type": "ios"}, "pyeapi": {}}[driver]
        login = {"username": lab.username, "password": lab.password, "host": "127.0.0.1", "port": laid.port}
        body = {"driver": driver, "connection_args": {**login, **kind}}
        lab.set_faults(device, Stall(command="show version"))
        yield Case(stack, laid, body, "show version", "show clock", lab, device)


def _unused(lab: LabProcess) -> LabDevice:
    return next(device for device in lab.devices if not lab.stats(device).connections)


@every
def test_killed_in_the_middle_of_a_command(case: Case) -> None:
    job = case.begun()
    began = time.monotonic()
    case.cable.pull()
    ended = case.stack.await_job(job)
    took_s = time.monotonic() - began

    assert error_of(ended) == "ReplyTimeout", ended["result"]["error"]
    assert took_s <= SOON_S
    assert case.run_short()["status"] == "finished"


@every
def test_silent_in_the_middle_of_a_command(case: Case) -> None:
    job = case.begun(**({"timeout": 1} if case.lab is None else {"read_timeout": 1}))
    case.cable.pinch()
    began = time.monotonic()
    ended = case.stack.await_job(job)

    assert error_of(ended) == "ReplyTimeout", ended["result"]["error"]
    assert time.monotonic() - began <= 1 + (ENDING_S if case.lab is None else 2 * SOON_S)
    assert case.run_short()["status"] == "finished"


@pytest.mark.parametrize("driver", ["netmiko", "napalm"])
def test_a_held_session_that_fell_silent_is_noticed_within_the_pings_limit(
    postgres_url: str, template: str, labs: dict[str, LabProcess], tmp_path: Path, driver: str, case: Case
) -> None:
    """The next job pays for one ping and one login, and does not fail."""
    settings = {"NETPULSE_WORKER__PING_AFTER_S": "0", "NETPULSE_WORKER__PING_TIMEOUT_S": "1"}
    with (
        postgres.new_database(postgres_url, template) as url,
        Stack(url, tmp_path, labs[driver], settings=settings) as stack,
    ):
        mine = Case(stack, case.cable, case.body, case.lasting, case.short, case.lab, case.device)
        mine.run_short()
        mine.cable.freeze()
        began = time.monotonic()
        job = mine.run_short()

    assert (job["status"], job["result"]["retval"][0]["metadata"]["session_reused"]) == ("finished", False)
    assert 1 <= time.monotonic() - began <= 1 + 4 * SOON_S
