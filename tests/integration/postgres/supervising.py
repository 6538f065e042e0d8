"""Run as a script: supervise the PostgreSQL below DATA until standard input closes. `supervising.py DATA`."""

import sys
from pathlib import Path

from app.postgres import EmbeddedPostgres

if __name__ == "__main__":
    with EmbeddedPostgres(Path(sys.argv[1]), durable=False) as server:
        print(server.pid, flush=True)  # noqa: T201 - the test reads it
        sys.stdin.read()
