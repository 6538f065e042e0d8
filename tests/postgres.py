"""A PostgreSQL for the tests, and databases in it: one for each test, copied from a migrated template."""

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from app import migrations
from app.postgres import EmbeddedPostgres

TEMPLATE_LOCK = 0x6E705F74706C  # "np_tpl"
MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp below it
ROOMY_BYTES = 4 << 30  # containers get 64 MB unless asked
CopyOptions = sql.SQL | sql.Composed


@contextmanager
def server() -> Iterator[str]:
    """URL of a database whose role may create others: DATABASE_URL's, or of a server that lives as long as this."""
    if url := os.environ.get("DATABASE_URL"):
        yield plain(url)
        return
    with open_directory() as directory, EmbeddedPostgres(directory / "data", durable=False) as embedded:
        yield embedded.url("postgres")


@contextmanager
def open_directory() -> Iterator[Path]:
    """A temporary directory that the server's account may enter, which pytest's own is not when root runs it.

    In memory where there is plenty: a database is 300 files, and making them took 10 ms there, 280 ms on a disk.
    """
    directory = Path(tempfile.mkdtemp(prefix="netpulse-test-", dir=MEMORY if _is_roomy(MEMORY) else None))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def _is_roomy(directory: Path) -> bool:
    return os.access(directory, os.W_OK | os.X_OK) and shutil.disk_usage(directory).free >= ROOMY_BYTES


def plain(url: str, database: str | None = None) -> str:
    """`url` without a driver's name, of another `database` when given: what psycopg and asyncpg take."""
    parsed = make_url(url).set(drivername="postgresql")
    if database is not None:
        parsed = parsed.set(database=database)
    return parsed.render_as_string(hide_password=False)


def ensure_template(admin_url: str) -> str:
    """Name of the template migrated to head; made once per state of `migrations/`, whoever asks first."""
    name = f"np_tpl_{_digest(migrations.MIGRATIONS)}"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
            _make_template(connection, admin_url, name)
    return name


@contextmanager
def new_database(admin_url: str, template: str | None = None) -> Iterator[str]:
    """URL of a new database, empty or a copy of `template`; dropped afterwards, whoever is still connected."""
    name = f"np_test_{uuid.uuid4().hex}"
    with psycopg.connect(admin_url, autocommit=True) as connection:
        options = _copy_of(template, connection.info.server_version) if template else sql.SQL("")
        connection.execute(sql.SQL("CREATE DATABASE {} {}").format(sql.Identifier(name), options))
    try:
        yield plain(admin_url, name)
    finally:
        with psycopg.connect(admin_url, autocommit=True) as connection:
            _drop(connection, name)


def _copy_of(template: str, server_version: int) -> CopyOptions:
    """Copying files is quicker than through the log for small databases; PostgreSQL 14 knows nothing else."""
    strategy = " STRATEGY file_copy" if server_version >= 15_00_00 else ""
    return sql.SQL("TEMPLATE {}").format(sql.Identifier(template)) + sql.SQL(strategy)


def _make_template(connection: psycopg.Connection, admin_url: str, name: str) -> None:
    """Migrate under another name, then rename: what an interrupted run leaves is never taken for the template."""
    draft = f"{name}_draft"
    _drop(connection, draft)
    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
    migrations.upgrade(plain(admin_url, draft))
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name)))


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _digest(directory: Path) -> str:
    """A name for the contents of `directory`'s Python and SQL files."""
    digest = hashlib.sha256()
    for path in sorted((*directory.rglob("*.py"), *directory.rglob("*.sql"))):
        digest.update(f"{path.relative_to(directory)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
