"""A nightly backup of configurations: a schedule over fifty devices shows the two that somebody changed by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from netmiko import ConnectHandler

from drivers.lab import LabDevice, LabProcess
from tests.stack import Stack
from tests.waiting import until

DEVICES = 50
COMMAND = "show running-config"
BY_HAND = {2: "ntp server 192.0.2.99", 40: "snmp-server location the other building"}
"""Which device gets which line."""


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(DEVICES) as lab:
        yield lab


def configure(lab: LabProcess, device: LabDevice, line: str) -> None:
    """Log in as a person does, without us."""
    login = {"host": device.host, "port": device.port, "username": lab.username, "password": lab.password}
    with ConnectHandler(device_type="cisco_ios", **login) as session:
        session.send_config_set([line])
    assert line in lab.running_config(device)


def make_schedule(stack: Stack) -> str:
    """A schedule that fires at night, and by then perhaps never: its id."""
    lab = stack.lab
    assert stack.http.post(
        "/credential/local/create", json={"path": "lab", "username": lab.username, "password": lab.password}
    ).is_success
    devices = [{"host": device.host, "port": device.port} for device in lab.devices]
    login = {"connection_args": {"device_type": "cisco_ios"}, "credential_ref": "lab"}
    request = {"driver": "netmiko", "command": COMMAND, "devices": devices, **login}
    answer = stack.http.post("/schedule", json={"name": "backup", "cron": "0 2 29 2 *", "request": request})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["data"]["id"])


def fire(stack: Stack, schedule: str, runs: int) -> None:
    """Run it now; return when every job of so many runs has ended well."""
    assert stack.http.post(f"/schedule/{schedule}/run").is_success
    sql = "SELECT count(*) AS jobs FROM netpulse.job WHERE schedule_id = %s AND state = 'finished'"
    until(lambda: stack.rows(sql, schedule)[0]["jobs"] == runs * DEVICES, f"run {runs} has ended", 60)


def versions(stack: Stack, device: LabDevice) -> list[dict[str, Any]]:
    """What the API knows of the device's configuration, the newest version first."""
    where: dict[str, Any] = {"command": COMMAND, "port": device.port, "text": True}
    answer = stack.http.get(f"/device/{device.host}/history", params=where)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def test_exactly_what_was_changed_by_hand_is_shown(database: str, tmp_path: Path, lab: LabProcess) -> None:
    with Stack(database, tmp_path, lab) as stack:
        schedule = make_schedule(stack)
        fire(stack, schedule, 1)
        for number, line in BY_HAND.items():
            configure(lab, lab.devices[number], line)
        fire(stack, schedule, 2)

        changes = stack.rows("SELECT device, command, added, removed FROM report.output_change ORDER BY changed_at")
        changed = {f"{lab.devices[number].host}:{lab.devices[number].port}": line for number, line in BY_HAND.items()}
        assert {
            row["device"]: (row["command"], [line for line in row["added"] if line[:1] not in "!C"]) for row in changes
        } == {device: (COMMAND, [line]) for device, line in changed.items()}
        for number, device in enumerate(lab.devices):
            found = versions(stack, device)
            assert len(found) == (2 if number in BY_HAND else 1)
            if number in BY_HAND:
                assert f"+{BY_HAND[number]}" in found[0]["difference"].splitlines()
                assert BY_HAND[number] in found[0]["text"]
                assert BY_HAND[number] not in found[1]["text"]
