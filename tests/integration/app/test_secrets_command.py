"""`netpulse secrets rotate`, and what the API says of a file whose key is gone."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from uuid import uuid4

import httpx
import psycopg
import pytest

from jobs.seal import Seal, new_key
from tests.integration.app.answers import failure
from tests.integration.app.serving import ROOT, SEAL_KEY
from tests.integration.postgres.processes import await_true

OLD, NEW, GONE = new_key(), new_key(), new_key()
TIMEOUT_S = 60


@contextmanager
def rotating(database: str, *arguments: str, keys: str = f"{NEW},{OLD}") -> Iterator["subprocess.Popen[str]"]:
    """The command, as a process that ends with the block."""
    environment = {**os.environ, "DATABASE_URL": database, "NETPULSE_SECRET_KEYS": keys, "COLUMNS": "100"}
    command = [sys.executable, "-m", "app.cli", "secrets", "rotate", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def ended(database: str, *arguments: str, keys: str = f"{NEW},{OLD}") -> tuple[int, str, str]:
    """Exit status and what it said on standard output and error."""
    with rotating(database, *arguments, keys=keys) as process:
        output, errors = process.communicate(timeout=TIMEOUT_S)
    assert not any(key in output + errors for key in (OLD, NEW, GONE))
    return process.returncode, output, errors


def store(database: str, *keys: str) -> None:
    """A credential with a version sealed under each of these keys."""
    with psycopg.connect(database) as connection:
        connection.execute("INSERT INTO netpulse.credential VALUES ('a', 1, '{}')")
        for number, key in enumerate(keys, 1):
            sealed = Seal([key]).seal("x").encode()
            connection.execute(
                "INSERT INTO netpulse.credential_version VALUES ('a', %s, %s, 'tests')", [number, sealed]
            )


def under_new(database: str) -> int:
    """How many versions the new key alone opens."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT sealed FROM netpulse.credential_version").fetchall()
    return sum(Seal([NEW, OLD, GONE]).resealed(sealed) is None for (sealed,) in rows)


def row_of(output: str, kind: str) -> list[str]:
    """The numbers in the table's row."""
    [line] = [line for line in output.splitlines() if kind in line]
    return [cell.strip() for cell in line.split("│")[2:-1]]


def test_counts_then_does_then_has_nothing_to_do(database: str) -> None:
    store(database, OLD, NEW, OLD)

    status, output, _ = ended(database, "--dry-run")
    assert (status, row_of(output, "stored credentials"), under_new(database)) == (0, ["3", "2", "0"], 1)
    assert "to be re-sealed" in output
    status, output, errors = ended(database, "--batch", "2")
    assert (status, row_of(output, "stored credentials"), under_new(database)) == (0, ["3", "2", "0"], 3)
    assert errors == ""


def test_what_no_key_opens_is_told(database: str) -> None:
    store(database, GONE, OLD, GONE)
    status, output, errors = ended(database)

    assert (status, row_of(output, "stored credentials"), under_new(database)) == (1, ["3", "1", "2"], 1)
    assert errors == "netpulse: 2 stored credentials were sealed under a key that is not in NETPULSE_SECRET_KEYS.\n"


def test_an_interrupt_loses_nothing(database: str) -> None:
    store(database, OLD, OLD)
    waits = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with psycopg.connect(database) as locking, psycopg.connect(database, autocommit=True) as looking:
        locking.execute("SELECT FROM netpulse.credential_version WHERE version = 2 FOR UPDATE")
        with rotating(database) as process:
            await_true(lambda: bool(looking.execute(waits).fetchall()), "it does not wait for the row")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == 130
    assert "the same command goes on with the rest" in errors
    assert "Traceback" not in errors
    assert under_new(database) == 1
    status, output, _ = ended(database)
    assert (status, row_of(output, "stored credentials"), under_new(database)) == (0, ["2", "1", "0"], 2)


@pytest.mark.parametrize(
    ("url", "keys", "named"),
    [
        ("", NEW, "DATABASE_URL"),
        ("postgresql://127.0.0.1:1/x", "", "NETPULSE_SECRET_KEYS"),
        (None, NEW, "out of reach"),
    ],
    ids=["no database", "no keys", "database away"],
)
def test_says_what_it_needs(url: str | None, keys: str, named: str) -> None:
    status, _, errors = ended("postgresql://127.0.0.1:1/x" if url is None else url, keys=keys)

    assert status == 2
    assert named in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("key", [SEAL_KEY, GONE], ids=["there", "gone"])
def test_a_file_whose_key_is_gone(api: httpx.Client, database: str, key: str) -> None:
    file, content = uuid4(), b"as its device had it"
    stored = """INSERT INTO netpulse.stored_file (id, direction, name, size_bytes, sha256, state)
                VALUES (%s, 'download', 'x', %s, %s, 'whole')"""
    with psycopg.connect(database) as connection:
        connection.execute(stored, [file, len(content), sha256(content).hexdigest()])
        piece = Seal([key]).seal_bytes(content)
        connection.execute("INSERT INTO netpulse.file_piece VALUES (%s, 0, %s)", [file, piece])
    answer = api.get(f"/storage/{file}")

    if key == SEAL_KEY:
        assert (answer.status_code, answer.content) == (200, content)
    else:
        assert "sealed under a key that is no longer in NETPULSE_SECRET_KEYS" in failure(answer, 409)["message"]
