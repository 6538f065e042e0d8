"""Who may connect: the OS account that runs NetPulse, as netpulse, and nobody else."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from app.postgres import EmbeddedPostgres

# Imports first, then changes account: the other account may not be able to read the venv.
CONNECT_AS = """
import os, sys, psycopg
os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
try:
    psycopg.connect(sys.argv[1])
except psycopg.OperationalError as error:
    sys.exit(str(error))
"""


def connect_as(uid: int, url: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", CONNECT_AS, url, str(uid)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def socket_directory(server: EmbeddedPostgres) -> Path:
    return Path(server.url("postgres").partition("?host=")[2])


def stranger(server: EmbeddedPostgres) -> int:
    """An account that neither runs NetPulse nor the server."""
    known = {os.geteuid(), socket_directory(server).stat().st_uid}
    return next(account.pw_uid for account in pwd.getpwall() if account.pw_uid not in known)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can become another user to be refused")
def test_another_account_is_refused_by_the_server_itself(server: EmbeddedPostgres) -> None:
    socket_directory(server).chmod(0o711)  # so that it is not the directory that refuses
    refused = connect_as(stranger(server), server.url("postgres"))
    assert refused.returncode != 0
    assert "Peer authentication failed" in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can become another user to be let in")
def test_the_account_of_the_server_is_let_in(server: EmbeddedPostgres) -> None:
    let_in = connect_as(socket_directory(server).stat().st_uid, server.url("postgres"))
    assert let_in.returncode == 0, let_in.stderr


def test_the_socket_is_private_and_the_only_way_in(server: EmbeddedPostgres) -> None:
    assert socket_directory(server).stat().st_mode & 0o077 == 0
    with psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_our_account_is_not_let_in_as_another_role(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE ROLE other LOGIN")
    with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
        psycopg.connect(server.url("postgres").replace("netpulse@", "other@"))


def test_url_quotes_the_name_of_the_database(server: EmbeddedPostgres) -> None:
    server.ensure_database("odd name/?")
    server.ensure_database("odd name/?")
    with psycopg.connect(server.url("odd name/?")) as connection:
        assert connection.info.dbname == "odd name/?"
