"""Changes that are undone, dry, or wait to be confirmed: by HTTP, each driver, on devices that have a memory."""

from collections.abc import Iterator
from typing import Any

import pytest

from drivers.lab import LabDevice, LabProcess
from tests import postgres
from tests.stack import Job, Stack, error_of
from tests.waiting import until

LINES = ["ntp server 192.0.2.123", "ntp server 192.0.2.124"]
NEVER = {"command": "show clock", "contains": "no clock ever says this"}
GOOD = {"command": "show running-config", "contains": "ntp server 192.0.2.123"}
TIMER_S = 2

WAYS = [("netmiko", "ios"), ("napalm", "ios"), ("netmiko", "eos"), ("napalm", "eos"), ("pyeapi", "eos")]
DEVICE_TYPES = {("netmiko", "ios"): "cisco_ios", ("netmiko", "eos"): "arista_eos"}

everyone = pytest.mark.parametrize(("driver", "persona"), WAYS, ids=lambda name: str(name))


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[str, LabProcess]]:
    """By persona. A minute of their timers takes TIMER_S seconds; EOS counts in seconds anyway."""
    archive = [f"--minute-ms={TIMER_S * 1000}"]
    with (
        LabProcess(devices=40, persona="ios", options=archive) as ios,
        LabProcess(devices=40, persona="eos", prefix="E") as eos,
    ):
        yield {"ios": ios, "eos": eos}


@pytest.fixture(scope="module")
def unused(labs: dict[str, LabProcess]) -> dict[str, Iterator[LabDevice]]:
    return {persona: iter(lab.devices) for persona, lab in labs.items()}


@pytest.fixture(scope="module")
def stack(
    postgres_url: str, template: str, labs: dict[str, LabProcess], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    with (
        postgres.new_database(postgres_url, template) as url,
        Stack(url, tmp_path_factory.mktemp("logs"), labs["ios"]) as stack,
    ):
        yield stack


class Case:
    """One device, spoken to by one driver."""

    def __init__(self, stack: Stack, lab: LabProcess, device: LabDevice, driver: str, persona: str) -> None:
        self._stack, self.lab, self.device, self._driver = stack, lab, device, driver
        port = device.https_port if persona == "eos" and driver != "netmiko" else device.port
        kind = {} if driver == "pyeapi" else {"device_type": DEVICE_TYPES.get((driver, persona), persona)}
        login = {"username": lab.username, "password": lab.password, "secret": lab.secret}
        self._login = {**kind, **login, "host": device.host, "port": port}
        if persona == "ios":  # what its operator sets up before timers and copies can work
            self.change(["archive", "path flash:archive", "exit", "ip scp server enable"])

    def change(self, lines: list[str] | None = None, **extra: Any) -> Job:
        """The ended job."""
        body = {"driver": self._driver, "connection_args": self._login, "config": lines or LINES, **extra}
        answer = self._stack.http.post("/device/execute?wait=60", json=body)
        assert answer.status_code == 201, answer.text
        job: Job = answer.json()["data"]
        return job

    def confirm(self, job: Job) -> Job:
        answer = self._stack.http.post(f"/job/{job['id']}/confirm?wait=60")
        assert answer.status_code == 201, answer.text
        confirmed: Job = answer.json()["data"]
        return confirmed

    @property
    def config(self) -> list[str]:
        """What is in force."""
        return self.lab.running_config(self.device)

    @property
    def changed(self) -> bool:
        return all(line in self.config for line in LINES)


@pytest.fixture
def case(
    stack: Stack, labs: dict[str, LabProcess], unused: dict[str, Iterator[LabDevice]], driver: str, persona: str
) -> Case:
    return Case(stack, labs[persona], next(unused[persona]), driver, persona)


@everyone
def test_a_good_change_stays(case: Case) -> None:
    job = case.change(options={"checks": {"after": [GOOD]}})

    assert (job["status"], job["change"]["rollback"]) == ("finished", None), job["result"]["error"]
    assert case.changed


@everyone
def test_a_failing_check_afterwards_undoes_the_change(case: Case) -> None:
    before = case.config
    job = case.change(options={"checks": {"after": [GOOD, NEVER]}})

    assert (job["status"], error_of(job), job["change"]["rollback"]) == ("failed", "CheckFailed", "done")
    assert job["result"]["error"]["message"].endswith("The change was undone.")
    assert job["result"]["error"]["outcome"] == "known"
    assert "undo" in {entry["metadata"]["phase"] for entry in job["result"]["retval"]}
    assert case.config == before


@everyone
def test_a_failing_check_before_changes_nothing(case: Case) -> None:
    before = case.config
    job = case.change(options={"checks": {"before": [NEVER]}})

    assert (error_of(job), case.config) == ("CheckFailed", before)


@everyone
def test_unconfirmed_it_reverts(case: Case) -> None:
    before = case.config
    job = case.change(driver_args={"revert_in": TIMER_S})

    assert job["status"] == "finished", job["result"]["error"]
    assert job["change"]["confirm_by"] is not None
    assert case.changed
    until(lambda: case.config == before, "the device goes back by itself")


@everyone
def test_confirmed_it_stays(case: Case) -> None:
    job = case.change(driver_args={"revert_in": 60})
    confirmed = case.confirm(job)

    assert confirmed["status"] == "finished", confirmed["result"]["error"]
    assert case.changed
    again = case.change(["ntp server 192.0.2.125"])  # the device takes the next change
    assert again["status"] == "finished", again["result"]["error"]


@pytest.mark.parametrize(("driver", "persona"), [way for way in WAYS if way != ("netmiko", "ios")])
def test_a_dry_run_shows_the_difference_and_changes_nothing(case: Case) -> None:
    before = case.config
    job = case.change(options={"dry_run": True})

    assert job["status"] == "finished", job["result"]["error"]
    assert "ntp server 192.0.2.123" in job["change"]["difference"]
    assert case.config == before


@everyone
def test_a_refused_line_in_the_middle_is_undone_where_asked(case: Case) -> None:
    before = case.config
    job = case.change([LINES[0], "this is no command", LINES[1]], options={"rollback": True})

    assert error_of(job) == "CommandRejected"
    assert job["change"]["rollback"] == "done", job["result"]["error"]
    assert case.config == before
