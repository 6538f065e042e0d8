"""Views for people who ask in SQL, the role that may read them and nothing else, and the indexes that they need."""

import sqlalchemy as sa
from alembic import op

from migrations.sqlfile import run_sql_file

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

VIEWS = (
    "job",
    "output",
    "latest_output",
    "output_change",
    "failure",
    "availability",
    "throughput",
    "change",
    "device",
    "worker_load",
    "delivery",
    "audit",
)
"""Files of migrations/sql/0017, one for each view of schema report."""

INDEXES = {
    "job_ended_idx": ("job", ["ended_at"], "ended_at IS NOT NULL"),
    "job_failed_idx": ("job", ["ended_at"], "state = 'failed'"),
    "job_change_idx": ("job", ["ended_at"], "operation = 'config' AND ended_at IS NOT NULL"),
    "output_latest_host_idx": ("output_latest", ["host", "command"], None),
    "output_latest_command_idx": ("output_latest", ["command", "device_key"], None),
    "webhook_delivery_created_idx": ("webhook_delivery", ["created_at"], None),
}
"""Table, columns and condition; what each is for is said in `jobs`."""


def upgrade() -> None:
    """Create schema, views and indexes, and give the role its rights."""
    host = sa.Computed("btrim(regexp_replace(device_key, ':[0-9]+$', ''), '[]')", persisted=True)
    comment = "Of device_key: name or address as normalised, without the port"
    op.add_column("output_latest", sa.Column("host", sa.Text(), host, comment=comment), schema="netpulse")
    for name, (table, columns, condition) in INDEXES.items():
        where = None if condition is None else sa.text(condition)
        op.create_index(name, table, columns, schema="netpulse", postgresql_where=where)
    op.execute("CREATE SCHEMA report")
    op.execute("COMMENT ON SCHEMA report IS 'For people who ask in SQL: the names in here stay as they are'")
    for name in VIEWS:
        run_sql_file(f"0017/{name}.sql")
    run_sql_file("0017/grant_report_role.sql")
    op.execute("SELECT netpulse.grant_report_role()")


def downgrade() -> None:
    """Drop it all. The role stays, without rights here: it may have some in another database."""
    op.execute("DROP FUNCTION netpulse.grant_report_role ()")
    for name in reversed(VIEWS):
        op.execute(f"DROP VIEW report.{name}")
    op.execute("DROP SCHEMA report")
    for name, (table, _columns, _condition) in INDEXES.items():
        op.drop_index(name, table_name=table, schema="netpulse")
    op.drop_column("output_latest", "host", schema="netpulse")
