"""PostgreSQL as our own child process: for `netpulse demo`, `netpulse up` without `DATABASE_URL`, and the tests."""

from app.postgres.directories import default_data_dir
from app.postgres.errors import AlreadySupervised, NoBinaries, PostgresError, Unreachable, WrongVersion
from app.postgres.server import EmbeddedPostgres

__all__ = [
    "AlreadySupervised",
    "EmbeddedPostgres",
    "NoBinaries",
    "PostgresError",
    "Unreachable",
    "WrongVersion",
    "default_data_dir",
]
