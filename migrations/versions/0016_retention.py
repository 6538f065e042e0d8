"""What is removed when, and counting what has ended."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.sqlfile import run_sql_file

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

FUNCTIONS = {
    "tally_end": "",
    "tally_removal": "",
    "fold_tally": "integer",
    "remove_unused_texts": "bytea[]",
    "remove_outputs": "uuid[]",
    "remove_versions": "bigint[]",
    "remove_jobs": "uuid[]",
    "begin_retention": "text, double precision",
    "site_stats": "",
}
"""Files of migrations/sql/0016, and the types of the function's parameters."""

TABLES = ("job_tally", "job_total", "job_minute", "retention_round")


def upgrade() -> None:
    """Create the tables and the functions, and count what there is: nothing ends between that and the commit."""
    _create_job_tally()
    _create_job_total()
    _create_job_minute()
    _create_retention_round()
    # remove_jobs
    op.create_index("detached_task_job_idx", "detached_task", ["job_id"], schema="netpulse")
    for name in FUNCTIONS:
        run_sql_file(f"0016/{name}.sql")
    op.execute(
        "INSERT INTO netpulse.job_total (state, ended, removed)"
        " SELECT state, count(*), 0 FROM netpulse.job WHERE ended_at IS NOT NULL GROUP BY state"
    )


def _create_job_tally() -> None:
    op.create_table(
        "job_tally",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When"),
        sa.Column("state", sa.Text(), nullable=False, comment="In which they ended"),
        sa.Column("ended", sa.Integer(), server_default="0", nullable=False, comment="Jobs that ended so"),
        sa.Column(
            "removed",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Of such jobs, how many left the history",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("job_tally_pkey")),
        schema="netpulse",
        comment="What fold_tally has not added to job_total yet: a row for each end, so that no two wait for each other",
    )


def _create_job_total() -> None:
    op.create_table(
        "job_total",
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False, comment="Jobs that ever ended so"),
        sa.Column("removed", sa.BigInteger(), nullable=False, comment="How many of them have left the history"),
        sa.CheckConstraint("state IN ('finished', 'failed', 'cancelled')", name=op.f("job_total_state_check")),
        sa.PrimaryKeyConstraint("state", name=op.f("job_total_pkey")),
        schema="netpulse",
        comment="How many jobs have ended, but for those in job_tally",
    )


def _create_job_minute() -> None:
    op.create_table(
        "job_minute",
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False, comment="Its beginning"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=False, comment="Jobs that ended so in that minute"),
        sa.PrimaryKeyConstraint("minute", "state", name=op.f("job_minute_pkey")),
        schema="netpulse",
        comment="How many jobs ended in each minute of the last day, but for those in job_tally",
    )


def _create_retention_round() -> None:
    op.create_table(
        "retention_round",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False, comment="Who removes: a worker's name, or cli"),
        sa.Column(
            "began_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Its begin",
        ),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Its latest batch",
        ),
        sa.Column(
            "ended_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Nothing was left; null: under way, or interrupted",
        ),
        sa.Column(
            "removed",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="How many, by the kind's name",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("retention_round_pkey")),
        schema="netpulse",
        comment="The latest hundred times that retention went through the history",
    )


def downgrade() -> None:
    """Drop it all; what was removed stays removed."""
    for trigger in ("job_tally_end", "job_tally_removal"):
        op.execute(f"DROP TRIGGER {trigger} ON netpulse.job")
    for name, types in FUNCTIONS.items():
        op.execute(f"DROP FUNCTION netpulse.{name} ({types})")
    op.drop_index("detached_task_job_idx", table_name="detached_task", schema="netpulse")
    for table in TABLES:
        op.drop_table(table, schema="netpulse")
