"""All revisions: up, down, up again; and that they make what the code says."""

import threading

import psycopg
import pytest
from alembic.util import CommandError

from app import migrations

# Everything in the database that is not PostgreSQL's own: name and kind of relations, functions, types and schemas.
OBJECTS = """
    SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname !~ '^(pg_|information_schema)'
    UNION ALL
    SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname !~ '^(pg_|information_schema)'
    UNION ALL
    SELECT t.oid::regtype::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE n.nspname !~ '^(pg_|information_schema)' AND t.typtype IN ('e', 'd', 'r')
    UNION ALL
    SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema)'
"""
ALEMBIC_ONLY = {"netpulse", "public", "netpulse.alembic_version", "netpulse.alembic_version_pkc"}


def objects_of(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return sorted(name for (name,) in connection.execute(OBJECTS))


def test_up_down_and_up_again(empty_database: str) -> None:
    migrations.upgrade(empty_database)
    after_first = objects_of(empty_database)
    migrations.downgrade(empty_database, "base")
    assert set(objects_of(empty_database)) == ALEMBIC_ONLY
    migrations.upgrade(empty_database)
    assert objects_of(empty_database) == after_first
    assert set(after_first) > ALEMBIC_ONLY


def test_upgrade_reaches_head_from_any_driver_name_and_is_repeatable(empty_database: str) -> None:
    assert migrations.current(empty_database) is None
    with_driver = empty_database.replace("postgresql:", "postgresql+asyncpg:")
    migrations.upgrade(with_driver)
    migrations.upgrade(with_driver)
    assert migrations.current(with_driver) == migrations.head() is not None


def test_tables_are_those_of_the_code(database: str) -> None:
    migrations.check(database)


def test_check_notices_a_missing_column(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE netpulse.worker DROP COLUMN zone CASCADE")
    with pytest.raises(CommandError, match="zone"):
        migrations.check(database)


def test_a_starter_waits_for_the_one_who_migrates(empty_database: str) -> None:
    """The lock is held here; the upgrade in the thread must not begin before we let go."""
    upgrade = threading.Thread(target=migrations.upgrade, args=[empty_database])
    with psycopg.connect(empty_database, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [0x4E657450756C7365])
        upgrade.start()
        upgrade.join(0.5)
        assert upgrade.is_alive()
        assert migrations.current(empty_database) is None
    upgrade.join(60)
    assert not upgrade.is_alive()
    assert migrations.current(empty_database) == migrations.head()
