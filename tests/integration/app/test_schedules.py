"""`/schedule`, and `netpulse schedule`."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.integration.app.answers import failure, fault, success
from tests.integration.app.serving import NAME, ROOT, SECRET, body, connection

NIGHTLY = "30 2 * * *"
REF = "sites/hq/admin"


def request(**changes: Any) -> dict[str, Any]:
    """An execute body without secrets, with `changes`."""
    login = {name: value for name, value in connection().items() if name not in ("username", "password")}
    return body(connection_args=login, credential_ref=REF, **changes)


def bulk(*hosts: str, **changes: Any) -> dict[str, Any]:
    """A bulk body without secrets, with `changes`."""
    login = {"device_type": "cisco_ios"}
    return body(connection_args=login, credential_ref=REF, devices=[{"host": host} for host in hosts]) | changes


def entry(**changes: Any) -> dict[str, Any]:
    """A valid schedule, with `changes`; a field changed to None is left out."""
    whole = {"name": f"s{uuid4().hex[:8]}", "cron": NIGHTLY, "request": request(), **changes}
    return {name: value for name, value in whole.items() if value is not None}


def post(api: httpx.Client, **changes: Any) -> dict[str, Any]:
    """A schedule that was made."""
    made: dict[str, Any] = success(api.post("/schedule", json=entry(**changes)), 201)
    return made


def jobs_of(api: httpx.Client, schedule: dict[str, Any]) -> list[dict[str, Any]]:
    """Newest first."""
    jobs: list[dict[str, Any]] = success(api.get("/job", params={"schedule": schedule["id"]}))
    return jobs


def with_key(api: httpx.Client, **fields: Any) -> httpx.Client:
    """A client with a key of its own."""
    made = success(api.post("/key", json={"name": f"k{uuid4().hex[:8]}", "scopes": ["read", "query"], **fields}), 201)
    return httpx.Client(base_url=api.base_url, headers={NAME: made["key"]}, timeout=30)


def test_a_schedule_as_it_is_made_and_read(api: httpx.Client) -> None:
    asked = entry(timezone="Europe/Berlin", missed="once", overlap="queue")
    made = success(api.post("/schedule", json=asked), 201)
    assert {name: made[name] for name in asked} == asked
    assert (made["enabled"], made["devices"], made["submitted_by"], made["blocked"]) == (True, 1, "admin", None)
    assert made["next_runs"][0] == made["next_at"]
    assert len(made["next_runs"]) == 5
    runs = [datetime.fromisoformat(run) for run in made["next_runs"]]
    assert runs[0] - datetime.now(UTC) <= timedelta(days=1, hours=1)
    assert all(later - run <= timedelta(hours=25) for run, later in pairwise(runs))
    assert success(api.get(f"/schedule/{made['id']}")) == made
    [listed] = success(api.get("/schedule", params={"name": asked["name"]}))
    assert listed == {name: made[name] for name in listed}
    assert "request" not in listed


def test_lists_are_pages_by_name(api: httpx.Client) -> None:
    for name in ("b", "c", "a"):
        post(api, name=name, enabled=name != "c")
    first = api.get("/schedule", params={"limit": 2})
    assert [item["name"] for item in success(first)] == ["a", "b"]
    rest = api.get("/schedule", params={"limit": 2, "cursor": first.headers["X-Next-Cursor"]})
    assert [(item["name"], item["next_at"]) for item in success(rest)] == [("c", None)]
    assert "X-Next-Cursor" not in rest.headers
    assert [item["name"] for item in success(api.get("/schedule", params={"enabled": False}))] == ["c"]
    assert success(api.get("/schedule", params={"name": "c", "enabled": True})) == []


def test_changes(api: httpx.Client) -> None:
    made = post(api)
    address = f"/schedule/{made['id']}"
    paused = success(api.patch(address, json={"enabled": False}))
    assert (paused["enabled"], paused["next_at"], paused["next_runs"]) == (False, None, [])
    moved = success(api.patch(address, json={"cron": "0 4 * * *", "timezone": "Asia/Tokyo", "name": "other"}))
    assert (moved["next_at"], moved["name"]) == (None, "other")
    back = success(api.patch(address, json={"enabled": True}))
    assert back["next_at"].endswith("T19:00:00Z")
    asked = bulk("192.0.2.7", "192.0.2.8")
    grown = success(api.patch(address, json={"request": asked, "overlap": "queue"}))
    assert (grown["request"], grown["devices"], grown["next_at"]) == (asked, 2, back["next_at"])
    assert success(api.patch(address, json={})) | {"updated_at": None} == grown | {"updated_at": None}


def test_run_now(api: httpx.Client) -> None:
    made = post(api, enabled=False)
    address = f"/schedule/{made['id']}"
    ran = success(api.post(f"{address}/run"), 201)
    [job] = jobs_of(api, made)
    assert ran == {"job_id": job["id"], "batch_id": None}
    assert (job["schedule_id"], job["command"], job["submitted_by"]) == (made["id"], ["show version"], "admin")
    seen = success(api.get(address))
    [firing] = seen["firings"]
    assert (firing["tick"], firing["job_id"], firing["complete"], seen["last_job"]) == (
        None,
        job["id"],
        True,
        job["id"],
    )

    again = failure(api.post(f"{address}/run"), 409)
    assert again["message"] == "Nothing was queued: jobs of the last firing have not ended."
    success(api.delete("/job", params={"id": job["id"]}))
    success(api.post(f"{address}/run"), 201)
    assert len(jobs_of(api, made)) == 2


def test_run_a_bulk_of_many_parts(api: httpx.Client) -> None:
    hosts = [f"10.0.{number // 250}.{number % 250}" for number in range(1, 1203)]
    made = post(api, request=bulk(*hosts, options={"queue_strategy": "fifo"}))
    ran = success(api.post(f"/schedule/{made['id']}/run"), 201)
    [firing] = success(api.get(f"/schedule/{made['id']}"))["firings"]
    assert (firing["batch_id"], firing["queued"], firing["complete"]) == (ran["batch_id"], 1202, True)
    assert len(success(api.get("/job", params={"batch": ran["batch_id"], "limit": 1000}))) == 1000


def test_removing(api: httpx.Client) -> None:
    made = post(api)
    success(api.post(f"/schedule/{made['id']}/run"), 201)
    assert success(api.delete(f"/schedule/{made['id']}")) == {"id": made["id"], "name": made["name"]}
    for method, path in [("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", "/run")]:
        answer = api.request(method, f"/schedule/{made['id']}{path}", json={} if method == "PATCH" else None)
        assert failure(answer, 404)["message"] == "There is no such schedule."
    assert len(jobs_of(api, made)) == 1


def test_a_name_is_taken_once(api: httpx.Client) -> None:
    made, other = post(api), post(api)
    assert failure(api.post("/schedule", json=entry(name=made["name"])), 409)
    assert failure(api.patch(f"/schedule/{other['id']}", json={"name": made["name"]}), 409)


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"cron": "61 * * * *"}, ["cron"], "the minute is not valid"),
        ({"cron": "0 0 31 2 *"}, ["cron"], "there is no such day: it would never be due"),
        ({"timezone": "Mars/Base"}, ["timezone"], "no such time zone; give a name such as Europe/Berlin or UTC"),
        ({"name": "No Name"}, ["name"], "must be at most 63 of a-z 0-9 . _ and -, beginning with a letter or a digit"),
        ({"overlap": "maybe"}, ["overlap"], "Input should be 'skip' or 'queue'"),
        ({"request": []}, ["request"], "must be a JSON object"),
        ({"request": {"driver": "telepathy"}}, ["request", "driver"], "no such driver; installed: "),
        ({"request": request(command=None)}, ["request"], "exactly one of command, config and"),
        ({"request": request(options={"ttl": 0})}, ["request", "options", "ttl"], "Input should be greater than 0"),
        ({"request": request(options={"rollout": {"batch_size": 1}})}, ["request", "options", "rollout"], "is for"),
        (
            {"request": bulk("192.0.2.1", "not a host")},
            ["request", "devices", 1, "connection_args", "host"],
            "not a host",
        ),
        (
            {"request": request(options={"webhook": {"name": "basic", "url": "https://192.0.2.9/"}})},
            ["request", "options", "webhook"],
            "a schedule keeps no webhook: it is sealed with each job",
        ),
        ({"request": bulk()}, ["request", "devices"], "must have 1 to 10,000 members; these are 0"),
        (
            {"request": bulk("192.0.2.1", options={"rollout": {"batch_size": 1}})},
            ["request", "options", "rollout"],
            "a schedule goes on in no waves",
        ),
    ],
)
def test_what_is_wrong_is_told(
    asking: httpx.Client, changes: dict[str, Any], place: list[str | int], message: str
) -> None:
    found = fault(asking.post("/schedule", json=entry(**changes)))
    assert found["loc"] == place
    assert found["msg"].startswith(message)


NO_SECRETS = "a schedule keeps no secrets: keep the login as a credential, and give its credential_ref"
LOGIN = {"username": "admin", "password": SECRET}


@pytest.mark.parametrize(
    "wanted",
    [
        body(),
        request() | {"connection_args": {"device_type": "cisco_ios", "host": "192.0.2.1", "secret": SECRET}},
        bulk("192.0.2.1") | {"credential_ref": None, "connection_args": {"device_type": "cisco_ios", **LOGIN}},
        bulk("192.0.2.1", connection_args={"device_type": "cisco_ios", "secret": SECRET}),
        bulk(devices=[{"host": "192.0.2.1", "secret": SECRET}]),
        # Each member has another login: what is kept would have it nonetheless.
        bulk(devices=[{"host": "192.0.2.1", "credential_ref": REF}])
        | {"credential_ref": None, "connection_args": {"device_type": "cisco_ios", **LOGIN}},
    ],
)
def test_no_secret_is_kept(asking: httpx.Client, shared_database: str, wanted: dict[str, Any]) -> None:
    found = fault(asking.post("/schedule", json=entry(request=wanted)))
    assert found["loc"][0] == "request"
    assert found["loc"][-1] == "connection_args"
    assert found["msg"] == NO_SECRETS
    with psycopg.connect(shared_database) as database:
        assert database.execute("SELECT count(*) FROM netpulse.schedule").fetchone() == (0,)


def test_null_characters_are_refused(asking: httpx.Client) -> None:
    wanted = request(command={"a": "\0"}, options={"rendering": {"name": "jinja2", "template": "{{ a }}"}})
    assert fault(asking.post("/schedule", json=entry(request=wanted)))["msg"] == "must not contain null characters"


def test_unknown_fields_are_refused(asking: httpx.Client) -> None:
    assert "did you mean 'cron'?" in fault(asking.post("/schedule", json=entry(crom="x")))["msg"]


def test_what_keys_may(api: httpx.Client) -> None:
    with with_key(api) as own, with_key(api) as other, with_key(api, scopes=["read"]) as reader:
        mine = success(own.post("/schedule", json=entry()), 201)
        failure(own.post("/schedule", json=entry(request=request(command=None, config="x"))), 403)
        failure(reader.post("/schedule", json=entry()), 403)
        address = f"/schedule/{mine['id']}"
        for foreign in (other, reader):
            assert success(foreign.get(address))["id"] == mine["id"]
            failure(foreign.patch(address, json={"enabled": False}), 403)
            failure(foreign.post(f"{address}/run"), 403)
            failure(foreign.delete(address), 403)
        success(own.post(f"{address}/run"), 201)
        assert jobs_of(api, mine)[0]["submitted_by"] == mine["submitted_by"]
        assert success(api.patch(address, json={"cron": "0 0 * * *"}))["submitted_by"] == mine["submitted_by"]
        assert success(api.patch(address, json={"request": request()}))["submitted_by"] == "admin"


def test_a_key_for_some_devices_sees_what_is_for_these(api: httpx.Client) -> None:
    inside, across = post(api, request=bulk("192.0.2.1", "192.0.2.2")), post(api, request=bulk("192.0.2.1", "10.0.0.1"))
    with with_key(api, hosts=["192.0.2.0/24"]) as limited:
        assert [item["id"] for item in success(limited.get("/schedule"))] == [inside["id"]]
        success(limited.get(f"/schedule/{inside['id']}"))
        failure(limited.get(f"/schedule/{across['id']}"), 404)
        failure(limited.post("/schedule", json=entry(request=bulk("10.0.0.1"))), 403)


def test_a_revoked_key_blocks_its_schedules(api: httpx.Client) -> None:
    with with_key(api) as own:
        mine = success(own.post("/schedule", json=entry()), 201)
    success(api.delete(f"/key/{mine['submitted_by']}"))
    assert success(api.get(f"/schedule/{mine['id']}"))["blocked"] == f"the key {mine['submitted_by']} is revoked"
    answer = failure(api.post(f"/schedule/{mine['id']}/run"), 409)
    assert answer["message"] == f"Nothing was queued: the key {mine['submitted_by']} is revoked."


def run(database: str, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    """`netpulse schedule`, as a person runs it."""
    environment = {**os.environ, "DATABASE_URL": database, "COLUMNS": "200"}
    command = [sys.executable, "-m", "app.cli", "schedule", *arguments]
    return subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, input=given, timeout=60
    )


def test_the_command(database: str, tmp_path: Path) -> None:
    file = tmp_path / "nightly.json"
    file.write_text(json.dumps(entry(name="nightly", cron="0 5 1 1 *")))
    created = run(database, "create", str(file))
    assert created.stdout == f"nightly: due next at {datetime.now(UTC).year + 1}-01-01 05:00 UTC\n", created.stderr
    assert run(database, "create", "-", given=file.read_text()).stderr == (
        "netpulse: there is a schedule of that name already\n"
    )
    assert run(database, "disable", "nightly").stdout == "nightly: due next at never\n"
    ran = run(database, "run", "nightly").stdout.split()
    listed, shown = run(database, "list").stdout, run(database, "show", "nightly").stdout
    assert "nightly" in listed
    assert ran[1] in shown
    assert run(database, "delete", "nightly").returncode == 0
    gone = run(database, "show", "nightly")
    assert (gone.returncode, gone.stderr) == (1, "netpulse: there is no schedule of that name\n")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("{", "the file is not valid JSON"),
        (json.dumps(entry(request=body())), f"request.connection_args: {NO_SECRETS}"),
    ],
)
def test_the_command_refuses(database: str, given: str, complaint: str) -> None:
    done = run(database, "create", "-", given=given)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"netpulse: {complaint}\n")
