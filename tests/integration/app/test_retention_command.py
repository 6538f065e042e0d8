"""`netpulse retention`."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.integration.app.serving import ROOT
from tests.integration.postgres.processes import await_true

TIMEOUT_S = 60

OLD_JOBS = """
    INSERT INTO netpulse.job (id, driver, operation, device_key, host, zone, strategy, state, request, submitted_by,
                              execution_timeout_s, created_at, ended_at)
    SELECT netpulse.uuid7(at), 'netmiko', 'command', 'r1:22', 'r1', 'default', 'pinned', 'finished', '{}', 'tests', 1,
           at, at
      FROM generate_series(1, %s) AS n, LATERAL (SELECT now() - interval '50 days' + n * interval '1 minute' AS at) AS j
"""

SLEEPING = """
    CREATE FUNCTION netpulse.sleeping() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_catalog.pg_sleep(600); RETURN NULL; END';
    CREATE TRIGGER sleeping BEFORE DELETE ON netpulse.job FOR EACH STATEMENT EXECUTE FUNCTION netpulse.sleeping()
"""


@contextmanager
def command(database: str, *arguments: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    """The command, as a process that ends with the block; finished jobs are kept for 30 days."""
    kept = {"NETPULSE_RETENTION__FINISHED_DAYS": "30", "COLUMNS": "100", "DATABASE_URL": database, **settings}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-m", "app.cli", "retention", *arguments],
        env={**os.environ, **kept},
        cwd=ROOT,
        stdout=pipe,
        stderr=pipe,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(database: str, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Exit status and what it said on standard output and error."""
    with command(database, *arguments, **settings) as process:
        output, errors = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, output, errors


def fill(database: str, jobs: int) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(OLD_JOBS, [jobs])


def left(database: str) -> int:
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT count(*) FROM netpulse.job").fetchone()
    assert row is not None
    return int(row[0])


def row_of(output: str, kind: str) -> list[str]:
    """The cells in the table's row."""
    [line] = [line for line in output.splitlines() if f" {kind} " in line]
    return [cell.strip() for cell in line.split("│")[2:-1]]


def test_tells_then_removes_then_has_nothing_to_do(database: str) -> None:
    fill(database, 1200)
    status, output, errors = ended(database, "--dry-run")
    assert (status, errors, left(database)) == (0, "", 1200)
    count, oldest, newest = row_of(output, "finished jobs")
    assert count == "1,200"
    assert oldest < newest

    status, output, _ = ended(database)
    assert (status, row_of(output, "finished jobs"), left(database)) == (0, ["1,200"], 0)
    status, output, _ = ended(database)
    assert (status, "finished jobs" in output) == (0, False)


def test_an_interrupt_loses_nothing(database: str) -> None:
    fill(database, 700)  # two batches
    sleeps = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(SLEEPING)
        with command(database) as process:
            await_true(lambda: bool(owner.execute(f"SELECT {sleeps}").fetchall()), "it does not remove")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=TIMEOUT_S)
        owner.execute(f"SELECT pg_terminate_backend(pid) {sleeps}")
        owner.execute("DROP TRIGGER sleeping ON netpulse.job")
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert left(database) == 700
    status, output, _ = ended(database)
    assert (status, row_of(output, "finished jobs"), left(database)) == (0, ["700"], 0)


def test_it_does_not_run_twice_at_once(database: str) -> None:
    with psycopg.connect(database) as worker:
        worker.execute("SELECT netpulse.begin_retention('node:1', 0)")
        worker.commit()
        status, _, errors = ended(database)
    assert (status, errors) == (1, "netpulse: a worker, or another such command, removes at this moment\n")


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"NETPULSE_RETENTION__AUDIT_DAYS": "89"}, "NETPULSE_RETENTION__AUDIT_DAYS"),
        ({}, "PostgreSQL"),
    ],
)
def test_what_cannot_work_is_told(settings: dict[str, str], named: str) -> None:
    status, _, errors = ended("postgresql://nobody@127.0.0.1:1/none", **settings)
    assert (status, named in errors, "Traceback" in errors) == (2, True, False)
