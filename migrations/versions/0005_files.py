"""Files on their way to and from devices, and detached tasks."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.sqlfile import run_sql_file

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FUNCTIONS = {
    "holds_job": "bigint, uuid",
    "submit_upload": "jsonb, uuid",
    "open_download": "bigint, uuid, text",
    "append_piece": "bigint, uuid, bigint, integer, bytea",
    "clear_download": "bigint, uuid",
    "complete_download": "bigint, uuid, text, double precision",
    "sweep_files": "integer",
    "submit_task": "jsonb",
    "act_on_task": "uuid, jsonb, text",
    "see_task": "bigint, uuid, uuid, text, integer, bigint, boolean",
    "look_after_tasks": "double precision, double precision, integer",
    "follow_job_end": "",
}
"""Files of migrations/sql/0005, each after those that it refers to, and the types of the function's parameters."""


def upgrade() -> None:
    """Create the tables and their functions."""
    _create_stored_file()
    _create_file_piece()
    _create_detached_task()
    for name in FUNCTIONS:
        run_sql_file(f"0005/{name}.sql")


def _create_stored_file() -> None:
    op.create_table(
        "stored_file",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUID version 7 by PostgreSQL's clock: sorts by time"),
        sa.Column(
            "job_id",
            sa.UUID(),
            nullable=True,
            comment="The job that brings it to its device, or from there; null while a client sends it",
        ),
        sa.Column("direction", sa.Text(), nullable=False, comment="upload: to the device; download: from it"),
        sa.Column("name", sa.Text(), nullable=False, comment="Shown to people; names no file anywhere"),
        sa.Column("size_bytes", sa.BigInteger(), server_default="0", nullable=False, comment="So far"),
        sa.Column("sha256", sa.Text(), nullable=True, comment="Hexadecimal; null until it is whole"),
        sa.Column("state", sa.Text(), server_default="growing", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="The first byte was asked for",
        ),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Its pieces may be removed then; null: its job needs them",
        ),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True, comment="Its pieces are gone"),
        sa.CheckConstraint("direction IN ('upload', 'download')", name=op.f("stored_file_direction_check")),
        sa.CheckConstraint("state <> 'whole' OR sha256 IS NOT NULL", name=op.f("stored_file_digest_check")),
        sa.CheckConstraint("state IN ('growing', 'whole', 'broken')", name=op.f("stored_file_state_check")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["netpulse.job.id"], name=op.f("stored_file_job_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("stored_file_pkey")),
        sa.UniqueConstraint("job_id", name=op.f("stored_file_job_id_key")),
        schema="netpulse",
        comment="A file on its way to a device, or brought from one",
    )
    op.create_index(
        "stored_file_expiry_idx",
        "stored_file",
        ["expires_at"],
        schema="netpulse",
        postgresql_where=sa.text("removed_at IS NULL"),
    )


def _create_file_piece() -> None:
    op.create_table(
        "file_piece",
        sa.Column("file_id", sa.UUID(), nullable=False),
        sa.Column(
            "first_byte", sa.BigInteger(), autoincrement=False, nullable=False, comment="Its place in the file, from 0"
        ),
        sa.Column("data", sa.LargeBinary(), nullable=False, comment="Encrypted; up to 512 KiB in the clear"),
        sa.ForeignKeyConstraint(
            ["file_id"], ["netpulse.stored_file.id"], name=op.f("file_piece_file_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("file_id", "first_byte", name=op.f("file_piece_pkey")),
        schema="netpulse",
        comment="A piece of a file",
    )
    # What is encrypted cannot be compressed: not even tried.
    op.execute("ALTER TABLE netpulse.file_piece ALTER COLUMN data SET STORAGE EXTERNAL")


def _create_detached_task() -> None:
    op.create_table(
        "detached_task",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUID version 7 by PostgreSQL's clock: sorts by time"),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("device_key", sa.Text(), nullable=False, comment="host:port, IPv6 in brackets"),
        sa.Column("host", sa.Text(), nullable=False, comment="Name or address as normalised, without the port"),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("job_id", sa.UUID(), nullable=False, comment="The job that starts it"),
        sa.Column(
            "request", postgresql.JSONB(), nullable=False, comment="The request as accepted; every secret reads ***"
        ),
        sa.Column(
            "sealed",
            sa.LargeBinary(),
            nullable=True,
            comment="The encrypted login; removed when nothing of the task is left on its host",
        ),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="starting", nullable=False),
        sa.Column("exit_status", sa.Integer(), nullable=True),
        sa.Column("log_size", sa.BigInteger(), server_default="0", nullable=False, comment="Bytes, when last seen"),
        sa.Column("submitted_by", sa.Text(), nullable=False, comment="Name of the API key"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Accepted",
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True, comment="First seen on its host"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="Seen to have ended, or given up"),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True, comment="A job last looked at it"),
        sa.Column(
            "look_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now() + interval '1 minute'"),
            nullable=True,
            comment="When to look at it again unasked; null: never",
        ),
        sa.Column("error", sa.Text(), nullable=True, comment="Why the last job about it failed; null: it did not"),
        sa.CheckConstraint(
            "(state IN ('starting', 'running')) = (ended_at IS NULL)", name=op.f("detached_task_ended_check")
        ),
        sa.CheckConstraint(
            "state IN ('starting', 'running', 'exited', 'lost', 'stopped', 'failed')",
            name=op.f("detached_task_state_check"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("detached_task_pkey")),
        schema="netpulse",
        comment="A command that runs on its host by itself, whatever becomes of our session",
    )
    op.create_index("detached_task_host_idx", "detached_task", ["host", "id"], schema="netpulse")
    op.create_index(
        "detached_task_look_idx",
        "detached_task",
        ["look_at"],
        schema="netpulse",
        postgresql_where=sa.text("sealed IS NOT NULL"),
    )


def downgrade() -> None:
    """Remove them."""
    op.execute("DROP TRIGGER job_end ON netpulse.job")
    for name in reversed(FUNCTIONS):
        op.execute(f"DROP FUNCTION netpulse.{name} ({FUNCTIONS[name]})")
    for table in ("detached_task", "file_piece", "stored_file"):
        op.drop_table(table, schema="netpulse")
