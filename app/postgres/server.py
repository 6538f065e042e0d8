"""One PostgreSQL server under our supervision."""

import fcntl
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from app.postgres.account import Account, current_account, may_enter, server_account
from app.postgres.binaries import binaries_for
from app.postgres.child import spawn
from app.postgres.cluster import ROLE, ensure_cluster, write_access_files
from app.postgres.directories import own_directory, socket_directory, socket_path
from app.postgres.errors import AlreadySupervised, PostgresError, Unreachable
from app.postgres.leftovers import clear_leftovers

START_TIMEOUT_S = 120.0  # recovery after a crash replays at most max_wal_size
STOP_TIMEOUT_S = 30.0
LOG_TAIL_BYTES = 4000
STILL_IN_USE = "pre-existing shared memory block"

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
}
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A PostgreSQL server that keeps its files below `data` and ends with this process, however that ends.

    It listens on a Unix socket only, and lets in only the OS account that runs us (and the one it runs as), as the
    superuser `netpulse`. With `durable` off a crash of the machine loses data: for tests.
    """

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        self.data = data.resolve()
        self._durable = durable
        self._cluster = self.data / "postgres"
        self._log = self.data / "postgres.log"
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server, on first use making its cluster; return when it accepts connections.

        Call it from the main thread. Raises PostgresError: AlreadySupervised, NoBinaries, Unreachable, WrongVersion,
        or with the end of the server's log.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("start PostgreSQL from the main thread: Linux stops it when the thread ends")
        if self._lock is not None:
            raise RuntimeError("already started")
        own_directory(self.data)
        self._lock = self._take_lock()
        try:
            self._start_server()
        except BaseException:  # an interrupt too must leave nothing running
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server, disconnecting its clients, and give up the data directory. No effect when stopped."""
        if self._process is not None:
            _end(self._process)
            self._process = None
            with suppress(OSError):  # not there, or not empty after a kill: the next start clears it
                socket_path(self.data).rmdir()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs, else None: it was stopped, or died by itself."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def url(self, database: str) -> str:
        """`postgresql://netpulse@/<database>?host=<socket directory>`, also while stopped."""
        return f"postgresql://{ROLE}@/{quote(database, safe='')}?host={quote(str(socket_path(self.data)))}"

    def ensure_database(self, name: str) -> None:
        """Create the database `name` unless it is there."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def _take_lock(self) -> int:
        lock = os.open(self.data, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise AlreadySupervised(
                f"Another NetPulse runs the PostgreSQL in {self.data}: stop it, or use another data directory."
            ) from None
        return lock

    def _start_server(self) -> None:
        account = server_account(self._cluster)
        if not may_enter(account, self.data):
            raise Unreachable(
                f"PostgreSQL would run as user {account.name}, who may not enter {self.data}: "
                "choose a data directory that it can reach."
            )
        binaries = binaries_for(account)
        ensure_cluster(self._cluster, binaries, account, durable=self._durable)
        sockets = socket_directory(self.data, account)
        access = write_access_files(self.data, current_account(), account)
        settings = SETTINGS | access | {"unix_socket_directories": str(sockets)}
        if not self._durable:
            settings |= NOT_DURABLE
        options = [f"--{name}={value}" for name, value in settings.items()]
        command: list[str | Path] = [binaries.directory / "postgres", "-D", self._cluster, *options]
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._launch(command, account, sockets, deadline):
            time.sleep(0.1)

    def _launch(self, command: list[str | Path], account: Account, sockets: Path, deadline: float) -> bool:
        """Start the server once; False if children of a killed one still finish their queries."""
        environment = clear_leftovers(self._cluster, sockets)
        with self._open_log() as log:
            beginning = log.tell()
            self._process = spawn(command, account, log, environment)
        while not _ready(self._cluster / "postmaster.pid", self._process.pid):
            timed_out = time.monotonic() > deadline
            if timed_out or self._process.poll() is not None:
                said = self._log_tail(beginning)
                if STILL_IN_USE in said and not timed_out:
                    return False
                raise PostgresError(f"PostgreSQL did not start in {self.data}:\n{said}")
            time.sleep(0.005)  # its only report is a file
        return True

    def _open_log(self) -> IO[bytes]:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        log = os.fdopen(os.open(self._log, flags, 0o600), "ab")
        log.seek(0, os.SEEK_END)
        return log

    def _log_tail(self, beginning: int) -> str:
        with self._log.open("rb") as log:
            end = log.seek(0, os.SEEK_END)
            log.seek(max(beginning, end - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").strip()


def _ready(pid_file: Path, pid: int) -> bool:
    """Whether the server wrote that it accepts connections (line 8: src/include/utils/pidfile.h)."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Fast shutdown; if that takes too long immediate shutdown, then the kernel's."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        process.send_signal(number)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            continue
        return
