"""What was decided, and the role of a service that cannot change it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.sqlfile import run_sql_file

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FUNCTIONS: dict[str, str] = {
    "record_audit_events": "jsonb",
    "keep_audit_events": "",
    "remove_audit_events": "timestamptz, integer",
    "grant_service_role": "",
}
"""Files of migrations/sql/0012, and the types of the function's parameters."""


def upgrade() -> None:
    """Create the table, its functions and the role."""
    _create_audit_event()
    _create_queued_index()
    for name in FUNCTIONS:
        run_sql_file(f"0012/{name}.sql")
    op.execute("SELECT netpulse.grant_service_role()")


def _create_audit_event() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was decided",
        ),
        sa.Column(
            "actor", sa.Text(), nullable=True, comment="Name of the API key; cli: the command line; null: no known key"
        ),
        sa.Column("client", sa.Text(), nullable=True, comment="Address that it came from; null: the command line"),
        sa.Column("request_id", sa.Text(), nullable=True, comment="The answer's X-Request-ID"),
        sa.Column(
            "action",
            sa.Text(),
            nullable=False,
            comment="Method and route, such as POST /device/execute; or the command",
        ),
        sa.Column("host", sa.Text(), nullable=True, comment="On which device; null: on none, or on those of the batch"),
        sa.Column("subject", sa.Text(), nullable=True, comment="On what else: a credential's path, a key's name, …"),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was not allowed"),
        sa.Column("job_id", sa.UUID(), nullable=True, comment="What it led to"),
        sa.Column("batch_id", sa.UUID(), nullable=True, comment="What it led to"),
        sa.Column("detail", postgresql.JSONB(), nullable=True, comment="What else there is to say; no secrets"),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_event_pkey")),
        schema="netpulse",
        comment="Who asked for what, from where, and whether it was allowed. Rows are never changed",
    )
    op.create_index("audit_event_actor_idx", "audit_event", ["actor", "id"], unique=False, schema="netpulse")
    op.create_index("audit_event_request_idx", "audit_event", ["request_id"], unique=False, schema="netpulse")
    op.create_index("audit_event_at_idx", "audit_event", ["at"], unique=False, schema="netpulse")
    op.create_index(
        "audit_event_host_idx",
        "audit_event",
        ["host", "id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("host IS NOT NULL"),
    )
    op.create_index(
        "audit_event_job_idx",
        "audit_event",
        ["job_id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("job_id IS NOT NULL"),
    )
    op.create_index(
        "audit_event_batch_idx",
        "audit_event",
        ["batch_id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_index(
        "audit_event_refused_idx",
        "audit_event",
        ["id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("NOT allowed"),
    )


def _create_queued_index() -> None:
    op.create_index(
        "job_queued_by_idx",
        "job",
        ["submitted_by"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state = 'queued'"),
    )


def downgrade() -> None:
    """Drop it all. The role stays, without rights here: it may have some in another database."""
    run_sql_file("0012/revoke_service_role.sql")
    op.drop_index("job_queued_by_idx", table_name="job", schema="netpulse")
    op.drop_table("audit_event", schema="netpulse")
    for name, types in FUNCTIONS.items():
        op.execute(f"DROP FUNCTION netpulse.{name} ({types})")
