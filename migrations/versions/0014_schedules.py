"""Schedules, and jobs by SQL."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.sqlfile import run_sql_file

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

FUNCTIONS = {
    "schedule_blocked": "text",
    "schedule_obstacle": "uuid",
    "note_firing": "uuid, timestamptz, text",
    "queue_firing": "uuid",
    "fire_schedule": "uuid, timestamptz, timestamptz, timestamptz, text",
    "run_schedule": "uuid",
    "request_fault": "jsonb",
    "plain_host": "text",
    "default_port": "text, jsonb",
    "submit_job": "jsonb",
}
"""Files of migrations/sql/0014, and the types of the function's parameters."""


def upgrade() -> None:
    """Create both tables and the functions."""
    _create_schedule()
    _create_schedule_firing()
    for name in FUNCTIONS:
        run_sql_file(f"0014/{name}.sql")


def _create_schedule() -> None:
    op.create_table(
        "schedule",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="For people"),
        sa.Column("cron", sa.Text(), nullable=False, comment="Minute, hour, day of month, month, day of week"),
        sa.Column("timezone", sa.Text(), nullable=False, comment="Name in the IANA database: where the clock hangs"),
        sa.Column(
            "body",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Of /device/execute, or with `devices` of /device/bulk; no secrets",
        ),
        sa.Column(
            "jobs",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="What is queued: array of netpulse.new_job, without a sealed part",
        ),
        sa.Column(
            "hosts", postgresql.ARRAY(sa.Text()), nullable=False, comment="Names or addresses of its devices, each once"
        ),
        sa.Column("enabled", sa.Boolean(), server_default="true", nullable=False),
        sa.Column(
            "overlap",
            sa.Text(),
            nullable=False,
            comment="A tick while the last firing's jobs run: skip it, or queue more",
        ),
        sa.Column(
            "missed",
            sa.Text(),
            nullable=False,
            comment="Ticks when nobody was there: skip them, or make up for all once",
        ),
        sa.Column(
            "next_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The tick that is due next; null: it is not enabled, or will never be due again",
        ),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True, comment="When it last fired"),
        sa.Column("last_job", sa.UUID(), nullable=True, comment="The job that its last firing queued"),
        sa.Column("last_batch", sa.UUID(), nullable=True, comment="The batch that its last firing queued"),
        sa.Column(
            "submitted_by",
            sa.Text(),
            nullable=False,
            comment="Name of the API key that gave the body: the jobs are its own",
        ),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="Made"
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Last change by a person",
        ),
        sa.CheckConstraint("missed IN ('skip', 'once')", name=op.f("schedule_missed_check")),
        sa.CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'", name=op.f("schedule_name_check")),
        sa.CheckConstraint("overlap IN ('skip', 'queue')", name=op.f("schedule_overlap_check")),
        sa.CheckConstraint("enabled OR next_at IS NULL", name=op.f("schedule_next_check")),
        sa.CheckConstraint("jsonb_array_length(jobs) BETWEEN 1 AND 10000", name=op.f("schedule_jobs_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("schedule_pkey")),
        sa.UniqueConstraint("name", name=op.f("schedule_name_key")),
        schema="netpulse",
        comment="Requests that come again and again by themselves",
    )
    op.create_index(
        "schedule_next_at_idx",
        "schedule",
        ["next_at"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("next_at IS NOT NULL"),
    )


def _create_schedule_firing() -> None:
    op.create_table(
        "schedule_firing",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("schedule_id", sa.UUID(), nullable=False),
        sa.Column(
            "tick",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The moment that was due; null: somebody wanted it at once",
        ),
        sa.Column(
            "at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When that was decided",
        ),
        sa.Column("skipped", sa.Text(), nullable=True, comment="Why nothing was queued; null: something was"),
        sa.Column("job_id", sa.UUID(), nullable=True, comment="The job that was queued"),
        sa.Column("batch_id", sa.UUID(), nullable=True, comment="The batch that was queued"),
        sa.Column("queued", sa.Integer(), server_default="0", nullable=False, comment="Jobs that were queued"),
        sa.Column(
            "refused", sa.Integer(), server_default="0", nullable=False, comment="Jobs that were not: see submit_jobs"
        ),
        sa.Column(
            "rest_from",
            sa.Integer(),
            nullable=True,
            comment="The jobs from there on are still to be queued; null: none is",
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"], ["netpulse.schedule.id"], name=op.f("schedule_firing_schedule_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("schedule_firing_pkey")),
        schema="netpulse",
        comment="What became of a schedule's latest hundred ticks",
    )
    op.create_index(
        "schedule_firing_rest_idx",
        "schedule_firing",
        ["schedule_id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("rest_from IS NOT NULL"),
    )
    op.create_index(
        "schedule_firing_schedule_idx", "schedule_firing", ["schedule_id", "id"], unique=False, schema="netpulse"
    )
    op.create_index(
        "schedule_firing_tick_idx",
        "schedule_firing",
        ["schedule_id", "tick"],
        unique=True,
        schema="netpulse",
        postgresql_where=sa.text("tick IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop it all: the schedules are gone."""
    for name, types in FUNCTIONS.items():
        op.execute(f"DROP FUNCTION netpulse.{name} ({types})")
    op.drop_table("schedule_firing", schema="netpulse")
    op.drop_table("schedule", schema="netpulse")
