"""Safe changes over HTTP: what may be asked of whom, dry runs, confirmations, rollouts."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from tests.integration.app.answers import failure, fault, success
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.serving import body, connection

LINES = ["ntp server 192.0.2.123"]
CHECK = {"command": "show ntp status", "contains": "synchronized"}


def change(**changes: Any) -> dict[str, Any]:
    return body(command=None, config=LINES, **changes)


@pytest.mark.parametrize("option", [{"dry_run": True}, {"checks": {"after": [CHECK]}}, {"rollback": True}])
def test_a_query_is_no_change(asking: httpx.Client, option: dict[str, Any]) -> None:
    found = fault(asking.post("/device/execute", json=body(options=option)))

    assert (found["loc"], found["msg"]) == (["options", *option], "is for changes (config) only")


@pytest.mark.parametrize("argument", [{"dry_run": True}, {"revert_in": 60}, {"replace": True}])
def test_what_the_device_cannot_do_is_refused_before_it_is_queued(
    asking: httpx.Client, argument: dict[str, Any]
) -> None:
    wanted = change(driver_args=argument, connection_args=connection(device_type="generic"))
    found = fault(asking.post("/device/execute", json=wanted))

    assert found["loc"] == ["driver_args", *argument]
    assert found["msg"] == "the driver netmiko cannot do that on generic"


@pytest.mark.parametrize(
    ("checks", "loc"),
    [
        ({"after": [{"command": "show ntp status"}]}, ["after", 0]),
        ({"before": [{"contains": "x"}]}, ["before", 0, "command"]),
        ({"before": [{"command": "a\nb", "contains": "x"}]}, ["before", 0, "command"]),
        ({"after": [CHECK] * 51}, ["after"]),
        ({"later": [CHECK]}, ["later"]),
    ],
)
def test_checks_that_make_no_sense(asking: httpx.Client, checks: dict[str, Any], loc: list[Any]) -> None:
    found = fault(asking.post("/device/execute", json=change(options={"checks": checks})))

    assert found["loc"] == ["options", "checks", *loc]


def test_a_change_tells_what_became_of_it(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as worker:
        job = success(api.post("/device/execute", json=change(options={"checks": {"after": [CHECK]}})), 201)["id"]
        worker.claim()
        worker.finish(job, "failed", difference="+ntp", rollback="done", error_type="CheckFailed", error_message="x")
        seen = success(api.get(f"/job/{job}"))

    assert seen["operation"] == "config"
    assert seen["change"] == {"difference": "+ntp", "rollback": "done", "confirm_by": None, "confirmed_at": None}
    assert [entry["metadata"]["phase"] for entry in seen["result"]["retval"]] == ["main"]


def test_confirming(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as worker:
        job = success(api.post("/device/execute", json=change()), 201)["id"]
        assert "no change with revert_in" in failure(api.post(f"/job/{job}/confirm"), 409)["message"]
        worker.claim()
        worker.finish(job, confirm_in_s=60)
        confirming = success(api.post(f"/job/{job}/confirm"), 201)["id"]
        worker.claim()
        worker.finish(confirming)

        assert success(api.get(f"/job/{confirming}"))["operation"] == "confirm"
        assert success(api.get(f"/job/{job}"))["change"]["confirmed_at"] is not None
        assert "confirmed already" in failure(api.post(f"/job/{job}/confirm"), 409)["message"]


def test_confirming_too_late(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as worker:
        job = success(api.post("/device/execute", json=change()), 201)["id"]
        worker.claim()
        worker.finish(job, confirm_in_s=-1)

    assert "undone the change by itself" in failure(api.post(f"/job/{job}/confirm"), 409)["message"]


def test_confirming_nothing(asking: httpx.Client) -> None:
    failure(asking.post(f"/job/{uuid4()}/confirm"), 404)


def test_a_rollout_is_for_bulks(asking: httpx.Client) -> None:
    wanted = change(options={"rollout": {"batch_size": 1}})

    assert fault(asking.post("/device/execute", json=wanted))["loc"] == ["options", "rollout"]


@pytest.mark.parametrize(
    "rollout", [{}, {"batch_size": 1, "percent": 5}, {"percent": 0}, {"batch_size": 0}, {"size": 1}]
)
def test_rollouts_that_make_no_sense(asking: httpx.Client, rollout: dict[str, Any]) -> None:
    wanted = change(devices=[{"host": "a"}], options={"rollout": rollout})

    assert fault(asking.post("/device/bulk", json=wanted))["loc"][:2] == ["options", "rollout"]


@pytest.mark.parametrize("rollout", [{"batch_size": 2}, {"percent": 30}])
def test_a_rollout_goes_in_waves_and_stops(api: httpx.Client, database: str, rollout: dict[str, Any]) -> None:
    devices = [{"host": f"r{number}"} for number in range(5)]
    with SqlWorker(database) as worker:
        answer = success(api.post("/device/bulk", json=change(devices=devices, options={"rollout": rollout})), 201)
        first = worker.claim()
        assert [str(job) for job in first] == [job["id"] for job in answer["succeeded"][:2]]
        for job in first:
            worker.finish(job, "failed", error_type="CommandRejected", error_message="x")
        worker.execute("SELECT netpulse.advance_rollouts()")
        progress = success(api.get(f"/batch/{answer['batch_id']}"))

    assert (progress["failed"], progress["cancelled"], progress["rollout"]) == (2, 3, "stopped")


def test_a_refused_bulk_leaves_no_rollout(api: httpx.Client, database: str) -> None:
    wanted = change(devices=[{"host": "a b"}], options={"rollout": {"batch_size": 1}})
    success(api.post("/device/bulk", json=wanted), 200)
    with psycopg.connect(database) as connected:
        assert connected.execute("SELECT count(*) FROM netpulse.rollout").fetchone() == (0,)


def test_the_rest_of_a_rollout_that_was_sent_again_gets_its_turn(api: httpx.Client, database: str) -> None:
    devices, rollout = [{"host": "r1"}, {"host": "r2"}], {"batch_size": 1}
    wanted, key = change(devices=devices, options={"rollout": rollout}), {"Idempotency-Key": "one"}
    other = str(
        success(
            api.post("/device/execute", json=body(connection_args=connection(host="r2"), options={"zone": "dmz"})), 201
        )["id"]
    )
    with SqlWorker(database) as worker:
        [first] = success(api.post("/device/bulk", json=wanted, headers=key), 201)["succeeded"]
        assert [str(job) for job in worker.claim()] == [first["id"]]
        worker.finish(UUID(first["id"]))
        worker.execute("SELECT netpulse.advance_rollouts()")
        success(api.delete("/job", params={"id": other}))
        again = success(api.post("/device/bulk", json=wanted, headers=key), 201)
        assert success(api.get(f"/batch/{again['batch_id']}"))["rollout"] == "running"
        worker.execute("SELECT netpulse.advance_rollouts()")

        assert [str(job) for job in worker.claim()] == [again["succeeded"][1]["id"]]
