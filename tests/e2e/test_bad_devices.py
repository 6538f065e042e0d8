"""Devices that misbehave: the job says what went wrong within its time, and the next one works."""

import pytest

from drivers.lab import (
    Ask,
    Drop,
    Fault,
    Huge,
    LabDevice,
    LabProcess,
    NonUtf8,
    OneByte,
    PromptChange,
    RefuseConnect,
    RefuseLogin,
    Silent,
    Stall,
)
from tests.stack import Stack, error_of, outputs_of

IMPATIENT = {"timeout": 1.5}
MOMENT_S = 12
"""Well above every timeout here and far below the defaults, on a machine that is busy with other tests."""


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (RefuseConnect(), "Unreachable"),
        (Silent(), "Unreachable"),
        (RefuseLogin(), "AuthenticationFailed"),
        (Drop(at="connect"), "Unreachable"),
        (Drop(at="login"), "Unreachable"),
        (Stall(command="show version", after_bytes=40), "ReplyTimeout"),
        (Drop(command="show version", after_bytes=40), "ReplyTimeout"),
        (Drop(command="show version", after_bytes=40, how="fin"), "ReplyTimeout"),
        (Ask(command="show version"), "ReplyTimeout"),
        (PromptChange(command="show version", prompt="who knows? "), "ReplyTimeout"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_the_error_and_the_next_job(stack: Stack, lab: LabProcess, device: LabDevice, fault: Fault, error: str) -> None:
    lab.set_faults(device, fault)
    job = stack.run(device, command="show version", connection=IMPATIENT, driver_args={"read_timeout": 1.5})
    lab.clear_faults(device)
    after = stack.run(device, command="show clock", connection=IMPATIENT)

    assert (job["status"], error_of(job)) == ("failed", error)
    assert job["duration"] < MOMENT_S
    assert (after["status"], after["result"]["retval"][0]["metadata"]["session_reused"]) == ("finished", False)
    assert lab.commands(device).count("show version") <= 1  # never sent again unasked


@pytest.mark.parametrize("fault", [Stall(command="ntp"), Drop(command="ntp")], ids=lambda fault: str(fault.kind))
def test_a_change_without_an_answer_has_an_unknown_outcome(
    stack: Stack, lab: LabProcess, device: LabDevice, fault: Fault
) -> None:
    stack.run(device, command="show clock")
    lab.set_faults(device, fault)
    job = stack.run(device, config=["ntp server 192.0.2.8"], driver_args={"read_timeout": 1.5})
    lab.clear_faults(device)

    assert error_of(job) == "ReplyTimeout"
    assert job["result"]["error"]["outcome"] == "unknown"
    assert stack.run(device, command="show clock")["status"] == "finished"


def test_an_address_where_nobody_is(stack: Stack) -> None:
    nowhere = LabDevice("nowhere", "192.0.2.1", 22)  # TEST-NET-1, RFC 5737
    job = stack.run(nowhere, command="show version", connection=IMPATIENT)

    assert (job["status"], error_of(job)) == ("failed", "Unreachable")
    assert job["duration"] < MOMENT_S


def test_a_name_that_does_not_exist(stack: Stack) -> None:
    job = stack.run(LabDevice("nobody", "nobody.invalid", 22), command="show version", connection=IMPATIENT)

    assert (job["status"], error_of(job)) == ("failed", "Unreachable")


def test_a_wrong_password(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    job = stack.run(device, command="show version", connection={"password": "not-the-password"}, retry=3)

    assert (job["status"], error_of(job)) == ("failed", "AuthenticationFailed")
    assert lab.stats(device).logins_failed == 1  # repeating it would lock accounts
    assert stack.run(device, command="show version")["status"] == "finished"


def test_retry_where_the_device_saw_nothing(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Drop(at="connect", count=2))
    job = stack.run(device, command="show version", connection=IMPATIENT, retry=2)

    assert (job["status"], job["attempts"]) == ("finished", 3)


@pytest.mark.parametrize("fault", [OneByte(), Huge(size_bytes=2_000_000)], ids=lambda fault: str(fault.kind))
def test_a_tiresome_device_is_still_understood(stack: Stack, lab: LabProcess, device: LabDevice, fault: Fault) -> None:
    plain = outputs_of(stack.run(device, command="show running-config"))[0]
    lab.set_faults(device, fault)
    job = stack.run(device, command="show running-config", driver_args={"read_timeout": 25})

    assert job["status"] == "finished"
    assert outputs_of(job)[0].startswith(plain)
    assert stack.run(device, command="show clock")["result"]["retval"][0]["metadata"]["session_reused"] is True


def test_bytes_that_are_no_text(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, NonUtf8(command="show version"), NonUtf8(command="show clock", raw_hex="00ff00"))
    job = stack.run(device, command=["show version", "show clock"])

    assert job["status"] == "finished"
    assert "uptime is" in outputs_of(job)[0]
    assert "\ufffd" in outputs_of(job)[0]
    assert "\x00" not in outputs_of(job)[1]
