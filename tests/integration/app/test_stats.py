"""`GET /system/stats`."""

import json
from typing import Any

import httpx
import psycopg

from app import __version__
from tests.integration.app.answers import failure, success
from tests.integration.app.keyring import coming_with, make_key
from tests.integration.app.queueing import SqlWorker
from tests.integration.app.test_jobs import submit

PAST = """
    INSERT INTO netpulse.job (id, driver, operation, device_key, host, zone, strategy, state, request, submitted_by,
                              execution_timeout_s, created_at, ended_at, worker_id)
    SELECT netpulse.uuid7(at), 'netmiko', 'command', 'r1:22', 'r1', 'default', 'pinned',
           CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'finished' END, '{}', 'tests', 1, at, at, 1
      FROM generate_series(1, 20000) AS n, LATERAL (SELECT now() - n * interval '1 minute' AS at) AS j
"""


def stats(api: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = success(api.get("/system/stats"))
    return found


def test_an_empty_site(api: httpx.Client) -> None:
    found = stats(api)
    assert found["version"] == __version__
    assert (found["zones"], found["retention"], found["deliveries_due"]) == ([], None, 0)
    assert found["schedules"] == {"enabled": 0, "disabled": 0, "next_at": None}
    minutes = found["jobs"].pop("per_minute")
    assert found["jobs"] == {
        **dict.fromkeys(("waiting", "running", "finished", "failed", "cancelled", "ended_ever"), 0),
        "oldest_waiting_since": None,
    }
    assert [sum(minute[state] for state in ("finished", "failed", "cancelled")) for minute in minutes] == [0] * 10
    assert found["database_bytes"] > sum(found["table_bytes"].values()) > 0


def test_jobs_and_workers(api: httpx.Client, database: str) -> None:
    with SqlWorker(database) as worker:
        jobs = [submit(api) for _ in range(3)]
        [running] = worker.claim()  # a device runs one job at a time
        found = stats(api)["jobs"]
        assert (found["waiting"], found["running"], found["finished"]) == (2, 1, 0)
        assert found["oldest_waiting_since"] == success(api.get(f"/job/{jobs[1]}"))["created_at"]

        worker.finish(running)
        worker.run_all()
        for fold in (False, True):
            if fold:
                worker.execute("SELECT netpulse.fold_tally(100)")
            found = stats(api)["jobs"]
            assert (found["waiting"], found["running"], found["finished"], found["ended_ever"]) == (0, 0, 3, 3)
            assert sum(minute["finished"] for minute in found["per_minute"]) == 3

        worker.execute("SELECT netpulse.heartbeat(%s, 2, 7, 0, 0)", worker.id)
        expected = {"zone": "default", "workers": 1, "busy": 2, "held_sessions": 7, "capacity": 10}
        assert stats(api)["zones"] == [expected]


def test_the_last_round_of_retention(api: httpx.Client, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SELECT netpulse.begin_retention('node:1', 0)")
        connection.execute("UPDATE netpulse.retention_round SET removed = %s", [json.dumps({"finished jobs": 7})])
        found = stats(api)["retention"]
        assert (found["by"], found["ended_at"], found["removed"]) == ("node:1", None, {"finished jobs": 7})


def test_a_key_for_some_devices_sees_none_of_it(api: httpx.Client) -> None:
    with coming_with(api.base_url, make_key(api, "some", "read", hosts=["r1"])) as limited:
        assert "limited to some devices" in failure(limited.get("/system/stats"), 403)["message"]
    with coming_with(api.base_url, make_key(api, "all", "read")) as unlimited:
        assert stats(unlimited)["jobs"]["waiting"] == 0


def test_the_history_is_not_read(api: httpx.Client, database: str) -> None:
    """However the tables are filled, the plans go by indexes: PostgreSQL's own counters tell."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(PAST)
        connection.execute("VACUUM ANALYZE netpulse.job")

        def scanned() -> tuple[Any, ...]:
            row = connection.execute(
                "SELECT coalesce(sum(seq_scan), 0), coalesce(sum(seq_tup_read), 0) FROM pg_stat_xact_user_tables"
                " WHERE schemaname = 'netpulse' AND relname IN ('job', 'job_output', 'webhook_delivery')"
            ).fetchone()
            assert row is not None
            return row

        with connection.transaction():
            before = scanned()
            connection.execute("SELECT netpulse.site_stats()")
            assert scanned() == before
            connection.execute("SELECT count(*) FROM netpulse.job WHERE host || '' = 'x'")
            assert scanned() != before  # they do count
