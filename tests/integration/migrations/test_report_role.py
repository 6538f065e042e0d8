"""Schema `report`, and the role that may read it and nothing else."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import errors, sql

from app import migrations
from tests.integration.migrations.test_role import as_role

VIEWS = "SELECT relname FROM pg_class WHERE relnamespace = 'report'::regnamespace AND relkind = 'v' ORDER BY relname"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'netpulse'::regnamespace AND relkind IN ('r', 'S')"
REFUSED = {
    "write": "DELETE FROM report.audit",
    "create": "CREATE TABLE report.mine (id int)",
    "function": "SELECT netpulse.grant_report_role()",
    "queue": "SELECT FROM public.procrastinate_jobs",
}


@pytest.fixture
def reader(database: str) -> Iterator[psycopg.Connection]:
    """A session of a role that has nothing but netpulse_report."""
    role = f"bi_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE netpulse_report").format(sql.Identifier(role)))
        try:
            with psycopg.connect(as_role(database, role), autocommit=True) as connection:
                yield connection
        finally:
            owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def names(connection: psycopg.Connection, statement: str) -> list[str]:
    return [name for (name,) in connection.execute(statement.encode())]


def test_every_view_and_every_column_has_a_comment(database: str) -> None:
    with psycopg.connect(database) as connection:
        silent = names(
            connection,
            "SELECT c.relname || coalesce('.' || a.attname, '') FROM pg_class AS c CROSS JOIN LATERAL ("
            "SELECT attname, attnum FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 "
            "UNION ALL SELECT NULL, 0) AS a "
            "WHERE c.relnamespace = 'report'::regnamespace AND NOT EXISTS (SELECT FROM pg_description AS d "
            "WHERE d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum "
            "AND d.description <> '')",
        )
        assert len(names(connection, VIEWS)) == 12
    assert silent == []


def test_no_view_shows_what_is_sealed(database: str) -> None:
    with psycopg.connect(database) as connection:
        shown = names(
            connection,
            "SELECT DISTINCT a.attname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid "
            "WHERE c.relnamespace = 'report'::regnamespace AND (a.attname ~ 'sealed|hash|digest|idempotency' "
            "OR a.atttypid = 'bytea'::regtype)",
        )
    assert shown == []


def test_it_reads_every_view(reader: psycopg.Connection) -> None:
    for view in names(reader, VIEWS):
        reader.execute(sql.SQL("SELECT * FROM report.{}").format(sql.Identifier(view)))


def test_it_reads_no_table(database: str, reader: psycopg.Connection) -> None:
    with psycopg.connect(database) as owner:
        tables = names(owner, TABLES)
    assert "job" in tables
    for table in tables:
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute(sql.SQL("SELECT FROM netpulse.{}").format(sql.Identifier(table)))


@pytest.mark.parametrize("statement", REFUSED.values(), ids=REFUSED.keys())
def test_what_it_cannot_do(reader: psycopg.Connection, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        reader.execute(statement.encode())


def test_the_way_back_and_forth(database: str) -> None:
    migrations.downgrade(database, "0016")
    with psycopg.connect(database) as owner:
        assert owner.execute("SELECT to_regnamespace('report')").fetchone() == (None,)
        left = owner.execute(
            "SELECT objid FROM pg_shdepend WHERE refobjid = to_regrole('netpulse_report') AND refclassid = "
            "'pg_authid'::regclass AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
    assert left == []
    migrations.upgrade(database)
