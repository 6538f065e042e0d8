"""Bringing the database to the revision that this code is written for.

Synchronous, and not for two threads at once (alembic keeps its state in globals). URLs may name any driver:
psycopg is used. Errors of alembic (`alembic.util.CommandError`) and of the database pass through.
"""

from io import StringIO
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from jobs.tables import SCHEMA

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def upgrade(url: str, revision: str = "head") -> None:
    """Run the missing revisions up to `revision` in one transaction; waits while another process does the same."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take back all revisions after `revision` (`base`: all of them, and all data)."""
    command.downgrade(_config(url), revision)


def check(url: str) -> None:
    """Raise CommandError unless the database is at head and its tables are those of `jobs.tables`."""
    command.check(_config(url))


def current(url: str) -> str | None:
    """The database's revision; None before the first one."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as connection:
        options = {"version_table_schema": SCHEMA}
        return MigrationContext.configure(connection, opts=options).get_current_revision()


def head() -> str | None:
    """The revision that this code is written for."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _config(url: str) -> Config:
    """Alembic's configuration without its file: that one is for the command line, and would change sys.path."""
    config = Config(stdout=StringIO(), attributes={"url": url})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
