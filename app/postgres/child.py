"""Starting PostgreSQL's programs as children that do not outlive us."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from app.postgres import launch
from app.postgres.account import Account

# The C locale: messages stay in English, where we look into them. Databases have their own.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


def spawn(
    command: list[str | Path], account: Account, output: IO[bytes], environment: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start `command` as `account`, output and errors to `output`; on Linux it gets SIGINT when this *thread* ends."""
    launcher = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(account.uid), str(account.gid)]
    return subprocess.Popen(  # noqa: S603 - our own programs, no shell
        [*launcher, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={**ENVIRONMENT, **(environment or {})},
        cwd="/",
        start_new_session=True,  # Ctrl-C is for us; we stop PostgreSQL after those who use it
    )
