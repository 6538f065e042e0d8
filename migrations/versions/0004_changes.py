"""Safe changes: their difference, how undoing went, until when they may be confirmed; rollouts; more operations."""

import sqlalchemy as sa
from alembic import op

from migrations.sqlfile import run_sql_file

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OPERATIONS = "operation IN ('command', 'config', 'confirm', 'upload', 'download', 'task', 'test')"


def upgrade() -> None:
    """Add the columns, and replace the functions that fill them."""
    _add_columns()
    op.drop_constraint(op.f("job_operation_check"), "job", schema="netpulse", type_="check")
    op.create_check_constraint(op.f("job_operation_check"), "job", OPERATIONS, schema="netpulse")
    op.create_check_constraint(
        op.f("job_rollback_check"), "job", "rollback IN ('done', 'failed', 'impossible')", schema="netpulse"
    )
    op.drop_constraint(op.f("job_unsealed_at_end_check"), "job", schema="netpulse", type_="check")
    op.create_check_constraint(
        op.f("job_unsealed_at_end_check"),
        "job",
        "ended_at IS NULL OR sealed IS NULL OR confirm_by IS NOT NULL",
        schema="netpulse",
    )
    op.create_check_constraint(
        op.f("job_output_phase_check"), "job_output", "phase IN ('main', 'before', 'after', 'undo')", schema="netpulse"
    )
    op.create_index(
        "job_confirm_idx",
        "job",
        ["confirm_by"],
        schema="netpulse",
        postgresql_where=sa.text("sealed IS NOT NULL AND confirm_by IS NOT NULL"),
    )
    _add_rollouts()
    for name in ("save_outputs", "finish_jobs", "forget_unconfirmed", "submit_jobs", "advance_rollouts"):
        run_sql_file(f"0004/{name}.sql")


def _add_columns() -> None:
    for column in (
        sa.Column(
            "difference",
            sa.Text(),
            comment="What a change made different, or with dry_run would have, as the device tells",
        ),
        sa.Column("rollback", sa.Text(), comment="How it went when a change that failed was to be undone"),
        sa.Column(
            "confirm_by",
            sa.DateTime(timezone=True),
            comment="The device undoes this change by itself unless it is confirmed before",
        ),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), comment="Confirmed by another job"),
        sa.Column("wave", sa.Integer(), comment="Of a rollout, from 0; null: not part of one"),
    ):
        op.add_column("job", column, schema="netpulse")
    op.alter_column(
        "job",
        "sealed",
        comment="The encrypted login; removed when the job ends, or need no more be confirmed",
        existing_comment="The encrypted login; removed when the job ends",
        schema="netpulse",
    )
    op.add_column(
        "job_output",
        sa.Column(
            "phase",
            sa.Text(),
            nullable=False,
            server_default="main",
            comment="Of a change: main, before, after or undo",
        ),
        schema="netpulse",
    )


def _add_rollouts() -> None:
    op.execute("ALTER TYPE netpulse.new_job ADD ATTRIBUTE wave integer")
    op.create_table(
        "rollout",
        sa.Column("batch_id", sa.UUID(), nullable=False),
        sa.Column("max_failures", sa.Integer(), nullable=False, comment="More failed jobs than that stop it"),
        sa.Column("state", sa.Text(), server_default="running", nullable=False),
        sa.Column(
            "accepting",
            sa.Boolean(),
            server_default="true",
            nullable=False,
            comment="The bulk is still being accepted: no wave after the first begins yet",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Accepted",
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), comment="The last wave ended, or it was stopped"),
        sa.CheckConstraint("state IN ('running', 'stopped', 'done')", name=op.f("rollout_state_check")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("rollout_pkey")),
        schema="netpulse",
        comment="A bulk that goes on in waves, and stops by itself when too many jobs fail",
    )
    op.create_index(
        "rollout_running_idx",
        "rollout",
        ["batch_id"],
        schema="netpulse",
        postgresql_where=sa.text("state = 'running'"),
    )


def downgrade() -> None:
    """Remove them, with the jobs of operations that were not known before. What a rollout held is cancelled."""
    op.execute("SELECT netpulse.stop_rollout(batch_id, 0) FROM netpulse.rollout WHERE state = 'running'")
    for name in ("advance_rollouts ()", "stop_rollout (uuid, bigint)", "release_wave (uuid, integer)"):
        op.execute(f"DROP FUNCTION netpulse.{name}")
    op.execute("DROP VIEW netpulse.rollout_job")
    op.drop_table("rollout", schema="netpulse")
    op.execute("ALTER TYPE netpulse.new_job DROP ATTRIBUTE wave")
    op.execute("DROP FUNCTION netpulse.forget_unconfirmed ()")
    op.execute("DELETE FROM netpulse.job WHERE operation NOT IN ('command', 'config')")
    op.execute("UPDATE netpulse.job SET sealed = NULL WHERE ended_at IS NOT NULL")
    op.drop_constraint(op.f("job_unsealed_at_end_check"), "job", schema="netpulse", type_="check")
    op.create_check_constraint(
        op.f("job_unsealed_at_end_check"), "job", "ended_at IS NULL OR sealed IS NULL", schema="netpulse"
    )
    op.drop_constraint(op.f("job_operation_check"), "job", schema="netpulse", type_="check")
    op.create_check_constraint(
        op.f("job_operation_check"), "job", "operation IN ('command', 'config')", schema="netpulse"
    )
    op.drop_index("job_confirm_idx", table_name="job", schema="netpulse")
    for column in ("difference", "rollback", "confirm_by", "confirmed_at", "wave"):
        op.drop_column("job", column, schema="netpulse")
    op.drop_column("job_output", "phase", schema="netpulse")
    op.alter_column(
        "job",
        "sealed",
        comment="The encrypted login; removed when the job ends",
        existing_comment="The encrypted login; removed when the job ends, or need no more be confirmed",
        schema="netpulse",
    )
    for name in ("save_outputs", "finish_jobs", "0003/submit_jobs"):
        run_sql_file(f"{name}.sql")
