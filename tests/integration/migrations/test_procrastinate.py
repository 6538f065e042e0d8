"""The copied schema of procrastinate against the installed package: a new version must come with a revision."""

from importlib.metadata import version
from importlib.resources import files

import procrastinate
import psycopg

from app import migrations

COPY = migrations.MIGRATIONS / "sql" / "procrastinate-3.10.0.sql"

# Every property that a change of procrastinate could have, as (kind, name, definition).
CATALOGUE = """
    SELECT 'column', a.attrelid::regclass::text || '.' || a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
                     pg_get_expr(d.adbin, d.adrelid))
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'c', 'S')
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'constraint', conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'trigger', tgname, pg_get_triggerdef(t.oid)
      FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
     WHERE NOT tgisinternal AND c.relnamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'function', oid::regprocedure::text, pg_get_functiondef(oid)
      FROM pg_proc WHERE pronamespace = 'public'::regnamespace
    UNION ALL
    SELECT 'enum', enumtypid::regtype || '.' || enumlabel, enumsortorder::text FROM pg_enum
"""


def catalogue(url: str) -> set[tuple[str, str, str]]:
    """What is in `public`, without the indexes that our own revisions add to procrastinate's tables."""
    with psycopg.connect(url) as connection:
        found = connection.execute(CATALOGUE).fetchall()
    return {(kind, name, definition) for kind, name, definition in found if not name.startswith("netpulse_")}


def test_the_copy_is_the_installed_schema() -> None:
    assert version("procrastinate") == "3.10.0"
    assert COPY.read_bytes() == (files(procrastinate) / "sql" / "schema.sql").read_bytes()


def test_our_revisions_make_what_procrastinate_itself_makes(database: str, empty_database: str) -> None:
    with procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=empty_database)).open() as app:
        app.schema_manager.apply_schema()
    ours, theirs = catalogue(database), catalogue(empty_database)
    assert ours == theirs
    assert len(theirs) > 80
