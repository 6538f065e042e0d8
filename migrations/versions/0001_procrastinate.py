"""The queue: procrastinate 3.10.0's own schema, in `public`.

Schema `netpulse` is there already: alembic's version table lives in it, so migrations/env.py makes it first.
"""

from migrations.sqlfile import run_sql_file

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create procrastinate's types, tables, functions and triggers."""
    run_sql_file("procrastinate-3.10.0.sql")


def downgrade() -> None:
    """Drop them, with all jobs in the queue."""
    run_sql_file("procrastinate-3.10.0-drop.sql")
