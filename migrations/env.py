"""How alembic connects: one starter at a time, `public` as the only unnamed schema, ours for what is ours."""

import os
import time
from collections.abc import Mapping
from typing import Any

from alembic import context
from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.pool import NullPool

from jobs import access_tables as access_tables  # they join the metadata
from jobs import output_tables as output_tables
from jobs import retention_tables as retention_tables
from jobs import schedule_tables as schedule_tables
from jobs import webhook_tables as webhook_tables
from jobs.tables import SCHEMA, metadata

LOCK = 0x4E657450756C7365  # "NetPulse"
LOCK_POLL_S = 0.1


def database_url() -> URL:
    """The caller's URL (config attribute `url`; for the alembic command DATABASE_URL), for psycopg."""
    given = context.config.attributes.get("url") or os.environ.get("DATABASE_URL")
    if not given:
        raise ValueError("alembic does not know the database: set DATABASE_URL")
    return make_url(given).set(drivername="postgresql+psycopg")


def use_public(connection: Any, _record: object) -> None:
    """Resolve plain names in `public`: by default they would be in `netpulse` for a user named so, and only for it."""
    connection.autocommit = True
    connection.execute("SET search_path TO public")
    connection.autocommit = False


def take_turn(connection: Connection) -> None:
    """Wait until no one else migrates this database; the lock goes with the connection.

    Asks again and again: a session that waits inside `pg_advisory_lock` has a snapshot, and CREATE INDEX CONCURRENTLY
    in a revision of the lock's holder would wait for it, for ever.
    """
    while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({LOCK})").scalar():
        connection.commit()
        time.sleep(LOCK_POLL_S)
    connection.commit()


def ensure_schema(connection: Connection) -> None:
    """Make the schema of alembic's own table. Looks first: creating needs rights even when there is nothing to do."""
    if connection.exec_driver_sql(f"SELECT to_regnamespace('{SCHEMA}') IS NULL").scalar():
        connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
    connection.commit()


def is_ours(name: str | None, kind: str, _parents: Mapping[str, str | None]) -> bool:
    """Compare schema `netpulse` only: procrastinate's objects are in `public`, and SQL files make the rest."""
    return kind != "schema" or name == SCHEMA


def run() -> None:
    """Run what alembic was asked for, all revisions in one transaction."""
    if context.is_offline_mode():
        raise NotImplementedError("revisions need a database: there is no --sql mode")
    engine = create_engine(database_url(), poolclass=NullPool)
    event.listen(engine, "connect", use_public, insert=True)
    with engine.connect() as connection:
        take_turn(connection)
        ensure_schema(connection)
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table_schema=SCHEMA,
            include_schemas=True,
            include_name=is_ours,  # type: ignore[arg-type]  # alembic's own type names each kind
            compare_server_default=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
