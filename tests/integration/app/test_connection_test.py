"""`POST /device/test-connection`: a job of its own, whose end is the answer."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from drivers.lab import LabDevice, LabProcess
from tests import postgres
from tests.integration.app.answers import failure, fault, success
from tests.integration.app.queueing import SqlWorker, output
from tests.integration.app.serving import SECRET, connection
from tests.stack import Stack
from tests.waiting import until

PATH = "/device/test-connection"


def asked(**changes: Any) -> dict[str, Any]:
    return {"driver": "netmiko", "connection_args": connection(), **changes}


def states(database: str) -> list[tuple[str, str]]:
    """Operation and state of every job."""
    with psycopg.connect(database) as opened:
        return opened.execute("SELECT operation, state FROM netpulse.job").fetchall()


@contextmanager
def asking_for(api: httpx.Client, **query: Any) -> Iterator["Future[httpx.Response]"]:
    """The request, under way."""
    with ThreadPoolExecutor(1) as thread:
        yield thread.submit(api.post, PATH, json=asked(), params=query)


def taken(worker: SqlWorker) -> UUID:
    """The job, once it is there and `worker` has it."""
    [job] = until(worker.claim, "the job is there")
    return job


@pytest.mark.parametrize("path", [PATH, "/device/test"])
def test_nobody_there(api: httpx.Client, database: str, path: str) -> None:
    answer = api.post(path, json=asked(options={"zone": "branch"}))
    assert "No worker serves the zone 'branch'" in failure(answer, 503)["message"]
    assert int(answer.headers["retry-after"]) > 0
    assert states(database) == []


def test_nobody_takes_it_in_time(api: httpx.Client, database: str) -> None:
    with SqlWorker(database):
        answer = api.post(PATH, json=asked(), params={"timeout": 0.2})
    assert "called off" in failure(answer, 503)["message"]
    assert int(answer.headers["retry-after"]) > 0
    assert states(database) == [("test", "cancelled")]


def test_a_worker_that_takes_it_too_late(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as worker, asking_for(api) as asking:
        worker.finish(taken(worker), "failed", (), error_type="Expired", error_message="Too late.", outcome="known")
        failure(asking.result(), 503)


def test_what_is_queued(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as worker, asking_for(api, timeout=20) as asking:
        job = taken(worker)
        sql = "SELECT strategy, operation, request::text, execution_timeout_s FROM netpulse.job WHERE id = %s"
        [(strategy, operation, request, timeout_s)] = worker.execute(sql, job)
        assert (strategy, operation, timeout_s) == ("fifo", "test", 20)
        assert SECRET not in request
        assert json.loads(request)["connection_args"]["password"] == "***"
        worker.finish(job, outputs=())
        asking.result()


def test_success(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as worker, asking_for(api) as asking:
        job = taken(worker)
        said = {**output(job, 0, "done"), "stdout": "R1#", "parsed": {"device_type": "cisco_xe"}}
        done = {"id": str(job), "state": "finished", "extra_attempts": 0, "session_reused": False}
        worker.execute("SELECT netpulse.finish_jobs(%s, %s, %s)", worker.id, json.dumps([done]), json.dumps([said]))
        data = success(asking.result())
    assert datetime.fromisoformat(data.pop("timestamp")).tzinfo is not None
    device = {"driver": "netmiko", "host": "192.0.2.1", "port": 22, "device_type": "cisco_xe", "prompt": "R1#"}
    assert data == {
        "success": True,
        "connection_time": 0.25,
        "error_type": None,
        "error_message": None,
        "device_info": device,
        "job_id": str(job),
    }


def test_failure_is_an_answer(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as worker, asking_for(api) as asking:
        why = {"error_type": "Unreachable", "error_message": "192.0.2.1:22 refused.", "outcome": "known"}
        worker.finish(taken(worker), "failed", (), **why)
        data = success(asking.result())
    assert (data["success"], data["error_type"], data["error_message"]) == (
        False,
        "Unreachable",
        "192.0.2.1:22 refused.",
    )
    assert data["connection_time"] >= 0
    device = {"driver": "netmiko", "host": "192.0.2.1", "port": 22, "device_type": "cisco_ios", "prompt": None}
    assert data["device_info"] == device


def test_described_examples_are_accepted(api: httpx.Client) -> None:
    described = api.get("/docs/openapi.json").json()["paths"][PATH]["post"]["requestBody"]
    content = described["content"]["application/json"]
    assert content["schema"]["discriminator"]["mapping"].keys() == content["examples"].keys() >= {"netmiko", "pyeapi"}
    for example in content["examples"].values():
        failure(api.post(PATH, json=example["value"]), 503)  # valid, but nobody is there


BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "driver": ({"driver": "netmoki"}, ["driver"]),
    "operation": ({"command": "show version"}, ["command"]),
    "option": ({"options": {"ttl": 5}}, ["options", "ttl"]),
    "zone": ({"zone": "No Zone"}, ["zone"]),
    "zones": ({"zone": "a", "options": {"zone": "b"}}, []),
    "argument": ({"connection_args": connection(hots="x")}, ["connection_args", "hots"]),
}


@pytest.mark.parametrize(("changes", "place"), BAD.values(), ids=BAD.keys())
def test_bad_bodies(asking: httpx.Client, changes: dict[str, Any], place: list[str]) -> None:
    assert fault(asking.post(PATH, json=asked(**changes)))["loc"] == place


@pytest.mark.parametrize("timeout", ["0", "121", "nan", "x"])
def test_bad_timeouts(asking: httpx.Client, timeout: str) -> None:
    assert fault(asking.post(PATH, json=asked(), params={"timeout": timeout}))["loc"] == ["query", "timeout"]


@pytest.fixture(scope="module")
def lab() -> Iterator[LabProcess]:
    with LabProcess(devices=3) as lab:
        yield lab


@pytest.fixture(scope="module")
def stack(
    lab: LabProcess, postgres_url: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A site as its users run it."""
    with (
        postgres.new_database(postgres_url, template) as url,
        Stack(url, tmp_path_factory.mktemp("logs"), lab) as stack,
    ):
        yield stack


def tried(stack: Stack, device: LabDevice, **changes: Any) -> dict[str, Any]:
    """The answer to a test of the lab's login, with `changes`."""
    login = stack.body(device, command="", connection=changes)["connection_args"]
    data: dict[str, Any] = success(stack.http.post(PATH, json=asked(connection_args=login)))
    return data


def test_right_and_wrong_are_told_apart(stack: Stack, lab: LabProcess) -> None:
    device = lab.devices[0]
    right = tried(stack, device)
    assert (right["success"], right["device_info"]["prompt"]) == (True, "R1#")
    assert 0 < right["connection_time"] < 10
    assert tried(stack, device, password="wrong one")["error_type"] == "AuthenticationFailed"
    assert tried(stack, device, port=1)["error_type"] == "Unreachable"
    assert stack.job(right["job_id"])["operation"] == "test"


def test_a_held_session_goes_on(stack: Stack, lab: LabProcess) -> None:
    device = lab.devices[1]
    stack.run(device, command="show clock")
    assert tried(stack, device)["success"] is True
    lab.wait_sessions(device, 1)
    again = stack.run(device, command="show clock")
    assert again["result"]["retval"][0]["metadata"]["session_reused"] is True


def test_a_login_that_rests_does_not_reach_the_device(stack: Stack, lab: LabProcess) -> None:
    """And goes on resting until somebody clears it."""
    device, wrong = lab.devices[2], {"password": "wrong one"}
    for _ in range(3):
        assert "refused the login" in tried(stack, device, **wrong)["error_message"]
    assert "the device was not contacted" in tried(stack, device, **wrong)["error_message"]
    job = stack.run(device, command="show clock", connection=wrong)
    assert "the device was not contacted" in job["result"]["error"]["message"]
    assert lab.stats(device).connections == 3

    refused = success(stack.http.get("/circuit", params={"host": device.host}))
    assert [(item["failures"], item["resting"]) for item in refused if item["port"] == device.port] == [(3, True)]
    assert success(stack.http.delete("/circuit", params={"host": device.host}))["cleared_count"] >= 1
    assert "refused the login" in tried(stack, device, **wrong)["error_message"]


def test_a_device_that_is_another_now_is_refused(stack: Stack, lab: LabProcess) -> None:
    """Until somebody clears its key."""
    device = lab.devices[0]
    where: dict[str, Any] = {"host": device.host, "port": device.port}
    tried(stack, device)
    [key] = [key for key in success(stack.http.get("/host-key")) if key["port"] == device.port]
    assert (key["kind"], key["source"]) == ("ssh-ed25519", "learnt")

    other = {**where, "kind": "ssh-ed25519", "fingerprint": f"SHA256:{'a' * 43}"}
    success(stack.http.post("/host-key", json=other))
    refused = tried(stack, device)
    assert refused["error_type"] == "HostKeyMismatch"
    assert key["fingerprint"] in refused["error_message"]
    assert success(stack.http.delete("/host-key", params=where)) == {"cleared_count": 1}
    assert tried(stack, device)["success"] is True
