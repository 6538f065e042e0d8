"""Webhooks: what is to be delivered, and what came of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.sqlfile import run_sql_file

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

FUNCTIONS = {
    "receiver_of": "text",
    "keep_webhook_secret": "",
    "queue_webhook": "",
    "claim_deliveries": "text, integer, integer, integer, integer, double precision",
    "end_delivery_attempt": "uuid, integer, integer, text, double precision, double precision, boolean, double precision",
    "redeliver": "uuid",
    "queue_task_event": "netpulse.detached_task, text, bytea, jsonb",
    "tell_task_log": "bigint, uuid, uuid, bigint, bigint, text, boolean",
    "end_task_webhook": "",
}
"""Files of migrations/sql/0015, and the types of the function's parameters."""

REPLACED = ("submit_task", "look_after_tasks")
"""Functions of revision 0005."""

TABLES = ("webhook_secret", "webhook_delivery", "webhook_attempt", "webhook_receiver")


def upgrade() -> None:
    """Create the tables, their functions, and the triggers that fill them."""
    _create_webhook_secret()
    _create_webhook_delivery()
    _create_webhook_attempt()
    _create_webhook_receiver()
    _add_told_offset()
    for name in (*FUNCTIONS, *REPLACED):
        run_sql_file(f"0015/{name}.sql")


def _add_told_offset() -> None:
    comment = "Its webhook was told of so many bytes of log; null: it has none, or was told of the end"
    column = sa.Column("told_offset", sa.BigInteger(), nullable=True, comment=comment)
    op.add_column("detached_task", column, schema="netpulse")


def _create_webhook_secret() -> None:
    op.create_table(
        "webhook_secret",
        sa.Column(
            "job_id",
            sa.UUID(),
            nullable=False,
            comment="A job that has not ended, or of which the detached task has not",
        ),
        sa.Column(
            "sealed", sa.LargeBinary(), nullable=False, comment="Its encrypted webhook; goes to the delivery at the end"
        ),
        sa.ForeignKeyConstraint(
            ["job_id"],
            ["netpulse.job.id"],
            name=op.f("webhook_secret_job_id_fkey"),
            ondelete="CASCADE",
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("webhook_secret_pkey")),
        schema="netpulse",
        comment="Whom to tell of a job's end, and with which secrets",
    )


def _create_webhook_delivery() -> None:
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUID version 7; the receiver sees it in each attempt"),
        sa.Column("job_id", sa.UUID(), nullable=False, comment="What it tells of"),
        sa.Column(
            "event_type",
            sa.Text(),
            nullable=False,
            comment="job.completed, …; task.log or task.ended of its detached task",
        ),
        sa.Column("url", sa.Text(), nullable=False, comment="Where to; what follows the host reads ***"),
        sa.Column(
            "receiver", sa.Text(), nullable=False, comment="scheme://host:port: what answers, or does not, as one"
        ),
        sa.Column(
            "state",
            sa.Text(),
            server_default="due",
            nullable=False,
            comment="due: waits for next_at; sending: a worker has it; delivered; failed: given up",
        ),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False, comment="Begun so far"),
        sa.Column(
            "attempts_before",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Of these, before somebody last put it back: the retries count from there",
        ),
        sa.Column(
            "next_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Due: when to try; sending: when the worker that has it counts as lost; null: it is over",
        ),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="The encrypted webhook; removed when it is delivered, or was given up some days ago",
        ),
        sa.Column(
            "said",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="Of task.log, the piece: {text, offset, next_offset}; goes with sealed",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="The job's or task's end, or the log was seen",
        ),
        sa.Column(
            "delivered_at", sa.DateTime(timezone=True), nullable=True, comment="The receiver said that it has it"
        ),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True, comment="Given up"),
        sa.CheckConstraint(
            "(state = 'delivered') = (delivered_at IS NOT NULL)", name=op.f("webhook_delivery_delivered_check")
        ),
        sa.CheckConstraint("(state = 'failed') = (failed_at IS NOT NULL)", name=op.f("webhook_delivery_failed_check")),
        sa.CheckConstraint(
            "(state IN ('due', 'sending')) = (next_at IS NOT NULL)", name=op.f("webhook_delivery_next_check")
        ),
        sa.CheckConstraint(
            "state <> 'delivered' OR (sealed IS NULL AND said IS NULL)", name=op.f("webhook_delivery_sealed_check")
        ),
        sa.CheckConstraint(
            "state IN ('due', 'sending', 'delivered', 'failed')", name=op.f("webhook_delivery_state_check")
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["netpulse.job.id"], name=op.f("webhook_delivery_job_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_delivery_pkey")),
        schema="netpulse",
        comment="A message about a job, to be brought to a receiver",
    )
    op.create_index(
        "webhook_delivery_due_idx",
        "webhook_delivery",
        ["receiver", "next_at"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state IN ('due', 'sending')"),
    )
    op.create_index(
        "webhook_delivery_failed_idx",
        "webhook_delivery",
        ["failed_at"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state = 'failed' AND sealed IS NOT NULL"),
    )
    op.create_index("webhook_delivery_job_idx", "webhook_delivery", ["job_id", "id"], unique=False, schema="netpulse")
    op.create_index(
        "webhook_delivery_next_idx",
        "webhook_delivery",
        ["next_at"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state IN ('due', 'sending')"),
    )
    op.create_index(
        "webhook_delivery_open_idx",
        "webhook_delivery",
        ["id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state <> 'delivered'"),
    )
    op.create_index(
        "webhook_delivery_waiting_idx",
        "webhook_delivery",
        ["job_id", "id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state IN ('due', 'sending')"),
    )
    op.create_index(
        "webhook_delivery_receiver_idx", "webhook_delivery", ["receiver", "id"], unique=False, schema="netpulse"
    )


def _create_webhook_attempt() -> None:
    op.create_table(
        "webhook_attempt",
        sa.Column("delivery_id", sa.UUID(), nullable=False, comment="What was tried"),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False, comment="From 1"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False, comment="A worker took it"),
        sa.Column(
            "duration_s", sa.Float(), nullable=True, comment="Until its end; null: under way, or its worker was lost"
        ),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status of the answer; null: there was none"),
        sa.Column("error", sa.Text(), nullable=True, comment="Why it was not delivered; null: it was, or is under way"),
        sa.Column("worker", sa.Text(), nullable=False, comment="Name of the worker"),
        sa.ForeignKeyConstraint(
            ["delivery_id"],
            ["netpulse.webhook_delivery.id"],
            name=op.f("webhook_attempt_delivery_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("delivery_id", "number", name=op.f("webhook_attempt_pkey")),
        schema="netpulse",
        comment="Each time that a delivery was tried",
    )


def _create_webhook_receiver() -> None:
    op.create_table(
        "webhook_receiver",
        sa.Column("receiver", sa.Text(), nullable=False, comment="scheme://host:port"),
        sa.Column("failures", sa.Integer(), nullable=False, comment="In a row: no answer, or a status of 500 and more"),
        sa.Column(
            "rest_until", sa.DateTime(timezone=True), nullable=False, comment="Not tried before, if it failed too often"
        ),
        sa.PrimaryKeyConstraint("receiver", name=op.f("webhook_receiver_pkey")),
        schema="netpulse",
        comment="Receivers that did not answer the last time; the row goes when one does",
    )


def downgrade() -> None:
    """Remove them: what was to be delivered is not."""
    for name in REPLACED:
        run_sql_file(f"0005/{name}.sql")
    op.execute("DROP TRIGGER task_webhook_due ON netpulse.detached_task")
    for trigger in ("job_webhook", "job_webhook_due"):
        op.execute(f"DROP TRIGGER {trigger} ON netpulse.job")
    for name, types in FUNCTIONS.items():
        op.execute(f"DROP FUNCTION netpulse.{name} ({types})")
    op.drop_column("detached_task", "told_offset", schema="netpulse")
    for table in reversed(TABLES):
        op.drop_table(table, schema="netpulse")
