"""What an earlier life of the server left behind. Only the holder of the data directory's lock may call this."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.postgres.errors import PostgresError

ORPHAN_TIMEOUT_S = 30.0


def clear_leftovers(cluster: Path, sockets: Path) -> dict[str, str]:
    """Stop an orphaned server of `cluster`, or see through a stale `postmaster.pid`.

    Returns environment for `postgres`: PG_GRANDPARENT_PID names a process that it must not take for a server of this
    cluster (src/backend/utils/init/miscinit.c, CreateLockFile). We do not unlink the file where that is enough: its
    record of the shared memory is how postgres sees that children of a killed server still write.
    """
    pid_file = cluster / "postmaster.pid"
    pid = _recorded_pid(pid_file)
    if pid and _serves(pid, cluster):
        _stop_orphan(pid, cluster)
        pid = _recorded_pid(pid_file)
    for stale in sockets.glob(".s.PGSQL.*"):
        stale.unlink()
    return {"PG_GRANDPARENT_PID": str(pid)} if pid else {}


def _recorded_pid(pid_file: Path) -> int | None:
    """The server's pid in `pid_file`; a file without one is truncated, would stop postgres, and is removed."""
    try:
        first = pid_file.read_text().partition("\n")[0].strip()
    except FileNotFoundError:
        return None
    if first.isdecimal() and int(first) > 0:
        return int(first)
    pid_file.unlink()
    return None


def _serves(pid: int, cluster: Path) -> bool:
    """Whether `pid` is a live server of `cluster` (neither a zombie nor somebody else who got the number)."""
    arguments = _arguments(pid)
    return bool(arguments) and "postgres" in arguments[0] and str(cluster) in arguments


def _arguments(pid: int) -> list[str]:
    """The command line of `pid`; empty for a zombie and for nobody."""
    if sys.platform != "linux":
        command = ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()  # noqa: S603
    try:
        return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")[:-1]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _stop_orphan(pid: int, cluster: Path) -> None:
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + ORPHAN_TIMEOUT_S
    while _serves(pid, cluster):  # not our child: there is nothing to wait on
        if time.monotonic() > deadline:
            raise PostgresError(f"A PostgreSQL left over from an earlier run (pid {pid}) still serves {cluster}")
        time.sleep(0.01)
