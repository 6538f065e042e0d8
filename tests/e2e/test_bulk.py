"""A bulk on real devices: every one is done once, in order, and its progress can be watched."""

from collections.abc import Callable
from typing import Any

from drivers.lab import LabDevice, LabProcess, Stall
from tests.integration.app.streaming import await_event, events
from tests.stack import Stack

Fresh = Callable[[], LabDevice]


def post(stack: Stack, devices: list[dict[str, Any]], first: LabDevice, **request: Any) -> dict[str, Any]:
    """Send a bulk whose common login is the lab's; `first` is any device."""
    common = stack.body(first, **request)
    login = {name: value for name, value in common["connection_args"].items() if name not in ("host", "port")}
    answer = stack.http.post("/device/bulk", json={**common, "connection_args": login, "devices": devices})
    assert answer.status_code == 201, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


def address(device: LabDevice) -> dict[str, Any]:
    """A member of `devices`."""
    return {"host": device.host, "port": device.port}


def test_every_device_is_done_once(stack: Stack, lab: LabProcess, fresh: Fresh) -> None:
    devices = [fresh() for _ in range(20)]
    own = {**address(devices[0]), "command": "show clock"}
    sent = [own, {"host": "not a host"}, *(address(device) for device in devices), address(devices[1])]
    batch = post(stack, sent, devices[0], command="show version")
    assert [item["index"] for item in batch["failed"]] == [1]
    with stack.http.stream("GET", f"/batch/{batch['batch_id']}/events") as answer:
        counts = await_event(events(answer), "end")
    assert (counts["total"], counts["finished"], counts["errors"]) == (22, 22, {})
    said = {
        device: [line for line in lab.commands(device) if line in ("show clock", "show version")] for device in devices
    }
    assert said[devices[0]] == ["show clock", "show version"]
    assert said[devices[1]] == ["show version", "show version"]
    assert all(said[device] == ["show version"] for device in devices[2:])
    assert all(lab.overlaps(device) == [] for device in devices)


def test_a_batch_is_called_off_while_it_runs(stack: Stack, lab: LabProcess, device: LabDevice, fresh: Fresh) -> None:
    lab.set_faults(device, Stall(command="show version", count=1))
    quick = fresh()
    members = [address(quick), address(device), {**address(device), "command": "show clock"}]
    batch = post(stack, members, device, command="show version")["batch_id"]
    lab.wait_received(device, "show version")
    with stack.http.stream("GET", f"/batch/{batch}/events") as answer:
        stream = events(answer)
        await_event(stream, "progress", finished=1, started=1, queued=1)
        called_off = stack.http.delete("/job", params={"batch": batch, "force": True}).json()["data"]
        assert (called_off["cancelled_count"], len(called_off["aborting"])) == (1, 1)
        end = await_event(stream, "end")
    assert (end["finished"], end["cancelled"], end["errors"]) == (1, 2, {"Cancelled": 2})
    assert "show clock" not in lab.commands(device)


def test_each_command_is_told_as_it_ends(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    lab.set_faults(device, Stall(command="show version", count=1))
    job = stack.submit(device, command=["show clock", "show version"], driver_args={"read_timeout": 3})
    with stack.http.stream("GET", f"/job/{job['id']}/events") as answer:
        stream = events(answer)
        assert await_event(stream, "output")["entry"]["command"] == "show clock"
        assert stack.job(job)["status"] == "started"
        assert await_event(stream, "end")["result"]["error"]["type"] == "ReplyTimeout"
