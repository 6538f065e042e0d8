"""The server's life: one supervisor, dies with it, starts again whatever the last life left behind."""

import subprocess
import sys
import threading
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.pq import PGconn

from app.postgres import AlreadySupervised, EmbeddedPostgres, PostgresError, WrongVersion
from app.postgres.account import server_account
from app.postgres.directories import socket_directory
from tests.integration.postgres.processes import (
    answer,
    await_end,
    await_true,
    has_ended,
    spawn_as_owner,
    supervisor_of,
)


def pid_file(data: Path) -> Path:
    return data / "postgres" / "postmaster.pid"


def is_ready(data: Path) -> bool:
    return pid_file(data).exists() and pid_file(data).read_text().rstrip().endswith("ready")


def leave_pid(data: Path, pid: int) -> None:
    """Leave the file of a server that was `pid`, all its lines there."""
    pid_file(data).write_text(f"{pid}\n{data / 'postgres'}\n1700000000\n5432\n/tmp\n\n        0         0\nready   \n")


def test_a_second_supervisor_is_refused(server: EmbeddedPostgres, data: Path) -> None:
    with pytest.raises(AlreadySupervised, match=str(data)):
        EmbeddedPostgres(data).start()
    assert answer(server) == 42


def test_a_supervisor_in_another_process_refuses_us_too(data: Path) -> None:
    with supervisor_of(data), pytest.raises(AlreadySupervised, match=str(data)):
        EmbeddedPostgres(data).start()


def test_start_is_for_the_main_thread(data: Path) -> None:
    raised: list[RuntimeError] = []

    def start() -> None:
        try:
            EmbeddedPostgres(data).start()
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(30)
    assert "main thread" in str(raised[0])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_server_stops_with_its_killed_supervisor_and_starts_again(data: Path) -> None:
    with supervisor_of(data) as (supervisor, server):
        supervisor.kill()
        supervisor.wait(30)
        await_end(server)
    with EmbeddedPostgres(data, durable=False) as again:
        assert answer(again) == 42


def test_a_start_at_once_after_the_supervisors_death_waits_for_the_old_server(data: Path) -> None:
    with supervisor_of(data) as (supervisor, old):
        supervisor.kill()
        supervisor.wait(30)
        with EmbeddedPostgres(data, durable=False) as again:
            assert again.pid != old.pid
            assert answer(again) == 42


def test_a_killed_server_is_seen_and_starts_again(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    killed = psutil.Process(server.pid)
    killed.kill()
    await_end(killed)
    assert server.pid is None
    server.stop()
    server.start()
    assert answer(server) == 42


def test_children_that_outlive_a_killed_server_are_waited_for(server: EmbeddedPostgres) -> None:
    """A query that computes does not notice its server's death; two servers on one cluster would destroy it."""
    assert server.pid is not None
    killed = psutil.Process(server.pid)
    connection = PGconn.connect(server.url("postgres").encode())
    try:
        child = psutil.Process(connection.backend_pid)
        connection.send_query(b"SELECT max(md5(n::text)) FROM generate_series(1, 2000000) n")
        killed.kill()
        await_end(killed)
        server.stop()
        assert not has_ended(child)
        server.start()
        assert has_ended(child)
    finally:
        connection.finish()
    assert answer(server) == 42


def test_an_orphan_is_stopped(data: Path) -> None:
    """A server without supervisor, as a killed one leaves it where the system has no PDEATHSIG."""
    with EmbeddedPostgres(data, durable=False) as server:
        assert server.pid is not None
        command = psutil.Process(server.pid).cmdline()
    socket_directory(data, server_account(data / "postgres"))
    orphan = spawn_as_owner(data, *command)
    try:
        await_true(lambda: is_ready(data), "the orphan does not start")
        with EmbeddedPostgres(data, durable=False) as server:
            assert orphan.wait(30) == 0
            assert answer(server) == 42
    finally:
        orphan.kill()
        orphan.wait(30)


def test_a_pid_that_went_to_somebody_else_is_let_live(data: Path) -> None:
    with spawn_as_owner(data, "sleep", "600") as somebody:
        try:
            leave_pid(data, somebody.pid)
            with EmbeddedPostgres(data, durable=False) as server:
                assert answer(server) == 42
            assert somebody.poll() is None
        finally:
            somebody.kill()


def test_a_pid_of_a_zombie(data: Path) -> None:
    with spawn_as_owner(data, "true") as dead:
        await_end(psutil.Process(dead.pid))
        leave_pid(data, dead.pid)
        with EmbeddedPostgres(data, durable=False) as server:
            assert answer(server) == 42


@pytest.mark.parametrize("rest", ["", "\n", "12a", "-1\n", "4194999\n/some"])
def test_a_truncated_pid_file(data: Path, rest: str) -> None:
    pid_file(data).write_text(rest)
    with EmbeddedPostgres(data, durable=False) as server:
        assert answer(server) == 42


def test_another_major_version_is_explained(data: Path) -> None:
    (data / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(WrongVersion, match=r"was made by PostgreSQL 9, .*NETPULSE_PG_BIN"):
        EmbeddedPostgres(data).start()


def test_a_failed_start_shows_the_servers_log_and_frees_the_directory(data: Path) -> None:
    settings = data / "postgres" / "postgresql.conf"
    sound = settings.read_text()
    settings.write_text("shared_buffer_typo = 1\n")
    server = EmbeddedPostgres(data, durable=False)
    with pytest.raises(PostgresError, match="shared_buffer_typo"):
        server.start()
    settings.write_text(sound)
    with server:
        assert answer(server) == 42


def test_a_half_made_cluster_is_made_anew(data: Path) -> None:
    subprocess.run(["rm", "-r", data / "postgres"], check=True)
    (data / "initdb-killed").mkdir()
    (data / "initdb-killed" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(data, durable=False) as server, psycopg.connect(server.url("postgres")) as connection:
        found = connection.execute("SELECT datcollate, pg_encoding_to_char(encoding) FROM pg_database").fetchone()
    assert found in (("C.UTF-8", "UTF8"), ("C", "UTF8"))
    assert not list(data.glob("initdb-*"))
