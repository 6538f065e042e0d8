"""Supervisors and servers as processes of their own, to be killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from app.postgres import EmbeddedPostgres

DEADLINE_S = 30.0


@contextmanager
def supervisor_of(data: Path) -> Iterator[tuple["subprocess.Popen[str]", psutil.Process]]:
    """Another process that supervises `data`, and its server; both are ended afterwards."""
    command: list[str | Path] = [sys.executable, "-m", "tests.integration.postgres.supervising", data]
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as supervisor:
        assert supervisor.stdout is not None
        server = psutil.Process(int(supervisor.stdout.readline()))
        try:
            yield supervisor, server
        finally:
            supervisor.communicate(timeout=DEADLINE_S)  # closes its input
            await_end(server)


def await_end(process: psutil.Process) -> None:
    """Return when `process` runs no more: when it is gone or a zombie, which PID 1 in a container may never collect."""
    await_true(lambda: has_ended(process), f"{process} still runs")


def has_ended(process: psutil.Process) -> bool:
    """Whether `process` is gone, or a zombie."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def await_true(is_so: Callable[[], bool], otherwise: str) -> None:
    """Ask `is_so` until it says yes, where there is nothing to wait on; fail with `otherwise` after 30 seconds."""
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.005)


def spawn_as_owner(data: Path, *command: str) -> "subprocess.Popen[bytes]":
    """Start `command` as the account whose server `data` has."""
    if os.geteuid() != 0:
        return subprocess.Popen(command, cwd="/")
    owner = (data / "postgres").stat()
    return subprocess.Popen(command, cwd="/", user=owner.st_uid, group=owner.st_gid, extra_groups=[])


def answer(server: EmbeddedPostgres) -> int:
    """What table `kept` keeps."""
    with psycopg.connect(server.url("postgres")) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()
    assert row is not None
    return int(row[0])
