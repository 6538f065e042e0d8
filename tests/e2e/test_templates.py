"""From a template to the device and back to records, by HTTP, on processes as sites run them."""

from collections.abc import Callable
from typing import Any

from drivers.lab import LabDevice, LabProcess
from tests.stack import Stack, error_of

NTP = "{% for server in servers %}\nntp server {{ server }}\n{% endfor %}"
SERVERS = ["192.0.2.123", "192.0.2.124"]
SERVER = {"name": "regex", "template": r"(?m)^ntp server (?P<server>\S+)$"}


def store(stack: Stack, kind: str, name: str, text: str) -> None:
    """Put a template into the library."""
    answer = stack.http.post(f"/template/{kind}/{name}", json={"template": text})
    assert answer.status_code == 200, answer.text


def test_one_job_renders_pushes_reads_back_and_parses(stack: Stack, lab: LabProcess, device: LabDevice) -> None:
    store(stack, "jinja2", "ntp", NTP)
    check = {"command": "show running-config", "parsing": SERVER, "record": {"server": SERVERS[1]}}
    job = stack.run(
        device,
        config={"servers": SERVERS},
        options={
            "rendering": {"template": "name://jinja2/ntp@1", "args": {"trim_blocks": True}},
            "checks": {"after": [check]},
        },
    )

    assert job["status"] == "finished", job["result"]["error"]
    assert all(f"ntp server {server}" in lab.running_config(device) for server in SERVERS)
    assert job["rendered"] == "ntp server 192.0.2.123\nntp server 192.0.2.124\n"
    by_text = "SELECT id::text FROM netpulse.job WHERE rendered LIKE '%%ntp server 192.0.2.124%%'"
    assert stack.rows(by_text) == [{"id": job["id"]}]
    by_record = (
        """SELECT job_id::text AS id, phase FROM netpulse.job_output WHERE parsed @> '[{"server": "192.0.2.123"}]'"""
    )
    assert stack.rows(by_record) == [{"id": job["id"], "phase": "after"}]


def test_textfsm_finds_its_template_by_platform_and_command(stack: Stack, device: LabDevice) -> None:
    job = stack.run(device, command=["show version", "show clock"], options={"parsing": {"name": "textfsm"}})
    version, clock = job["result"]["retval"]

    assert version["parsed"][0]["hostname"] == device.name
    assert version["parsed"][0]["version"]
    assert clock["parsed"], clock["metadata"]["parsing_error"]


def test_what_ntc_templates_do_not_know_is_said_and_the_job_is_finished(stack: Stack, device: LabDevice) -> None:
    job = stack.run(device, command="show privilege", options={"parsing": {"name": "textfsm"}})
    [entry] = job["result"]["retval"]

    assert (job["status"], entry["parsed"]) == ("finished", None)
    assert entry["metadata"]["parsing_error"]


def test_the_names_that_clients_of_netmiko_send(stack: Stack, device: LabDevice) -> None:
    job = stack.run(device, command="show version", driver_args={"use_textfsm": True})

    assert job["result"]["retval"][0]["parsed"][0]["hostname"] == device.name


def test_one_template_serves_many_devices(stack: Stack, lab: LabProcess, fresh: Callable[[], LabDevice]) -> None:
    devices = [fresh(), fresh()]
    members: list[dict[str, Any]] = [
        {"host": device.host, "port": device.port, "vars": {"number": number}, "place": f"rack {number}"}
        for number, device in enumerate(devices)
    ]
    common = stack.body(devices[0], config="snmp-server location {{ place }} / {{ number }} / {{ site }}")
    common["connection_args"] = {
        name: value for name, value in common["connection_args"].items() if name not in ("host", "port")
    }
    body = {**common, "devices": members, "options": {"rendering": {"context": {"site": "HQ"}}}}
    answer = stack.http.post("/device/bulk", json=body)
    assert answer.status_code == 201, answer.text
    for job in answer.json()["data"]["succeeded"]:
        ended = stack.await_job(job)
        assert ended["status"] == "finished", ended["result"]["error"]

    for number, device in enumerate(devices):
        assert f"snmp-server location rack {number} / {number} / HQ" in lab.running_config(device)


def test_a_template_that_does_not_end_fails_its_job_only(stack: Stack, device: LabDevice) -> None:
    endless = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
    bad = stack.submit(device, config=endless, options={"rendering": {}})
    good = stack.run(device, command="show clock", options={"queue_strategy": "fifo"})
    ended = stack.await_job(bad)

    assert good["status"] == "finished"
    assert (ended["status"], error_of(ended)) == ("failed", "RenderingError")
    assert ended["duration"] < 5
