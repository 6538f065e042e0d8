"""Schedules with the processes that fire them: workers die, and each tick is fired once. And jobs that come by SQL."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from drivers.lab import LabDevice, LabProcess
from tests.stack import SHORT_LIVED, Stack, error_of, outputs_of
from tests.waiting import until

WORKERS = 3
SCHEDULES = 200
MINUTES = 10
REF = "lab/login"


@pytest.fixture
def stack(database: str, lab: LabProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A site whose workers may die, with the lab's login as a credential."""
    settings = SHORT_LIVED
    with Stack(database, tmp_path_factory.mktemp("logs"), lab, settings=settings, workers=WORKERS) as stack:
        login = {"path": REF, "username": lab.username, "password": lab.password}
        assert stack.http.post("/credential/local/create", json=login).is_success
        yield stack


def request(device: LabDevice, **changes: Any) -> dict[str, Any]:
    """A body that refers to the lab's login."""
    connection = {"device_type": "cisco_ios", "host": device.host, "port": device.port}
    return {
        "driver": "netmiko",
        "connection_args": connection,
        "credential_ref": {"provider": "local", "path": REF},
        "command": "show version",
        **changes,
    }


def make(stack: Stack, name: str, body: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A schedule of every minute that makes up for what it missed."""
    entry = {"name": name, "cron": "* * * * *", "missed": "once", "overlap": "queue", "request": body, **fields}
    answer = stack.http.post("/schedule", json=entry)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["data"]
    return made


def fired(stack: Stack, tick: datetime) -> int:
    """How many schedules have fired for `tick`."""
    [row] = stack.rows("SELECT count(*) AS fired FROM netpulse.schedule_firing WHERE tick = %s", tick)
    return int(row["fired"])


def test_each_tick_fires_once_whoever_dies(stack: Stack, device: LabDevice) -> None:
    """Ten minutes go by as fast as the workers can follow: for each, every schedule's next tick is moved there.

    No worker serves the jobs' zone, so that each job stays where it was queued.
    """
    chance = random.Random(7)
    for number in range(SCHEDULES):
        make(stack, f"s{number}", request(device, options={"zone": "elsewhere", "ttl": 3600, "queue_strategy": "fifo"}))
    [row] = stack.rows("SELECT date_trunc('minute', clock_timestamp()) AS now")
    ticks = [row["now"] - timedelta(minutes=MINUTES - minute) for minute in range(MINUTES)]
    for minute, tick in enumerate(ticks):
        stack.rows("UPDATE netpulse.schedule SET next_at = %s RETURNING id", tick)
        if minute % 2 == 0:
            until(lambda tick=tick: fired(stack, tick) >= chance.randrange(SCHEDULES), "some have fired")  # type: ignore[misc]
            chance.choice(stack.workers).kill()
            stack.start_worker(live=False)
        until(lambda tick=tick: fired(stack, tick) == SCHEDULES, f"all have fired for {tick}")  # type: ignore[misc]

    firings = stack.rows("SELECT schedule_id, tick, queued, skipped, job_id FROM netpulse.schedule_firing")
    jobs = stack.rows("SELECT schedule_id, count(*) AS jobs FROM netpulse.job GROUP BY schedule_id")
    ours = Counter((row["schedule_id"], row["tick"]) for row in firings if row["tick"] in ticks)
    assert len(ours) == SCHEDULES * MINUTES
    assert set(ours.values()) == {1}
    assert {(row["queued"], row["skipped"]) for row in firings} == {(1, None)}
    assert len({row["job_id"] for row in firings}) == len(firings)
    # And no jobs beside those: real minutes that went by meanwhile are among the firings.
    assert {row["schedule_id"]: row["jobs"] for row in jobs} == Counter(row["schedule_id"] for row in firings)


def test_a_schedule_runs_on_its_devices(stack: Stack, fresh: Callable[[], LabDevice]) -> None:
    devices = [fresh(), fresh()]
    members = [{"host": device.host, "port": device.port} for device in devices]
    common = request(devices[0]) | {"connection_args": {"device_type": "cisco_ios"}, "devices": members}
    made = make(stack, "backup", common, cron="0 0 1 1 *")
    stack.rows("UPDATE netpulse.schedule SET next_at = clock_timestamp() RETURNING id")

    def firing() -> Any:
        seen = stack.http.get(f"/schedule/{made['id']}").json()["data"]
        return seen["firings"]

    [done] = until(firing, "it fires")
    jobs = stack.http.get("/job", params={"batch": done["batch_id"]}).json()["data"]
    ended = [stack.await_job(job) for job in jobs]
    assert [job["status"] for job in ended] == ["finished", "finished"]
    assert {job["device_name"] for job in ended} == {device.host for device in devices}
    assert {job["schedule_id"] for job in ended} == {made["id"]}


def by_sql(stack: Stack, body: dict[str, Any]) -> dict[str, Any]:
    """A job that came by SQL, once it has ended."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        row = connection.execute("SELECT netpulse.submit_job(%s)", [Jsonb(body)]).fetchone()
    assert row is not None
    return stack.await_job(str(row[0]))


def test_a_job_by_sql_runs(stack: Stack, device: LabDevice) -> None:
    job = by_sql(stack, request(device))
    assert job["status"] == "finished", job["result"]
    assert "Version" in outputs_of(job)[0]
    assert job["submitted_by"].startswith("sql:")

    change = by_sql(stack, request(device, command=None, config="interface Loopback7\n description by sql\n"))
    assert (change["status"], change["config"]) == ("finished", ["interface Loopback7", " description by sql"])

    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"command": "show\x07version"}, "command.lines.0: must not contain control characters"),
        ({"command": 5}, "command.lines: must be text"),
        ({"driver_args": {"read_timeot": 5}}, "driver_args.read_timeot: unknown field; did you mean 'read_timeout'?"),
        ({"driver": "paramiko"}, "connection_args.device_type: unknown field"),
        ({"options": {"parsing": 5}}, "options.parsing: must be a JSON object"),
        ({"credential_ref": {"paht": "x"}}, "credential_ref.path: "),
        ({"driver": "telepathy"}, "driver: not installed on this worker"),
    ]
    for wrong, message in wrongs:
        failed = by_sql(stack, request(device, **wrong))
        assert (failed["status"], error_of(failed)) == ("failed", "InvalidRequest"), wrong
        assert failed["result"]["error"]["message"].startswith(message)
        assert failed["result"]["error"]["outcome"] == "known"
