"""Workers, devices, jobs and their outputs, and the functions that move a job from state to state."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.sqlfile import run_sql_file

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

FUNCTIONS = (
    "new_job",
    "uuid7",
    "wake",
    "pick_worker",
    "reroute_jobs",
    "move_device",
    "submit_jobs",
    "register_worker",
    "heartbeat",
    "claim_jobs",
    "start_job",
    "save_outputs",
    "finish_jobs",
    "cancel_jobs",
    "abort_jobs",
    "requested_cancels",
    "expire_jobs",
    "requeue_jobs",
    "hand_over_devices",
    "reap_worker",
    "drain_worker",
    "stop_workers",
    "prune_workers",
    "adopt_devices",
    "rebalance_devices",
    "reconcile_jobs",
    "release_devices",
    "foreign_devices",
    "ask_release",
    "report_sessions",
)
"""Files of migrations/sql, each after those that it refers to."""


def upgrade() -> None:
    """Create the tables, the functions, and what the queue needs beyond procrastinate's own schema."""
    op.create_table(
        "job",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUID version 7 by PostgreSQL's clock: sorts by time"),
        sa.Column("batch_id", sa.UUID(), nullable=True, comment="Shared by the jobs of one bulk request"),
        sa.Column("schedule_id", sa.UUID(), nullable=True, comment="The schedule that fired it"),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False, comment="command: reads; config: changes"),
        sa.Column("device_key", sa.Text(), nullable=False, comment="host:port, IPv6 in brackets"),
        sa.Column("host", sa.Text(), nullable=False, comment="Name or address as normalised, without the port"),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column(
            "strategy",
            sa.Text(),
            nullable=False,
            comment="pinned: in order, on the holder; fifo: anywhere, in parallel",
        ),
        sa.Column("state", sa.Text(), server_default="queued", nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False, comment="Higher first"),
        sa.Column(
            "request",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The request as accepted; every secret reads ***",
        ),
        sa.Column("sealed", sa.LargeBinary(), nullable=True, comment="The encrypted login; removed when the job ends"),
        sa.Column("rendered", sa.Text(), nullable=True, comment="What was sent, where a template made it"),
        sa.Column("error_type", sa.Text(), nullable=True, comment="One of the closed list of the API's documentation"),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column(
            "outcome",
            sa.Text(),
            nullable=True,
            comment="Of a change that failed: did the device get it? unknown: a person must look",
        ),
        sa.Column("submitted_by", sa.Text(), nullable=False, comment="Name of the API key"),
        sa.Column("idempotency_key", sa.Text(), nullable=True, comment="As the client sent it; counts for 24 hours"),
        sa.Column(
            "request_hash", sa.Text(), nullable=True, comment="Keyed digest of the whole request, secrets included"
        ),
        sa.Column(
            "queue_job_id",
            sa.BigInteger(),
            nullable=True,
            comment="Row in procrastinate_jobs while the job waits or runs",
        ),
        sa.Column("worker_id", sa.BigInteger(), nullable=True, comment="Incarnation that claimed it last"),
        sa.Column("worker", sa.Text(), nullable=True, comment="That worker's name"),
        sa.Column("epoch", sa.BigInteger(), nullable=True, comment="The device's epoch at the claim"),
        sa.Column(
            "attempts", sa.Integer(), server_default="0", nullable=False, comment="Times that a worker claimed it"
        ),
        sa.Column("max_attempts", sa.Integer(), server_default="1", nullable=False),
        sa.Column("session_reused", sa.Boolean(), nullable=True, comment="False: this job paid for a login"),
        sa.Column("execution_timeout_s", sa.Float(), nullable=False),
        sa.Column(
            "cancel_requested",
            sa.Boolean(),
            server_default="false",
            nullable=False,
            comment="Somebody wants the running job aborted; its worker looks here should the notice get lost",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Accepted",
        ),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=True, comment="Not claimed by then: failed with Expired"
        ),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True, comment="Claimed by the worker that ran it"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="Finished, failed or cancelled"),
        sa.CheckConstraint(
            "(state IN ('finished', 'failed', 'cancelled')) = (ended_at IS NOT NULL)", name=op.f("job_ended_check")
        ),
        sa.CheckConstraint("operation IN ('command', 'config')", name=op.f("job_operation_check")),
        sa.CheckConstraint("outcome IN ('known', 'unknown')", name=op.f("job_outcome_check")),
        sa.CheckConstraint(
            "state IN ('queued', 'claimed', 'started', 'finished', 'failed', 'cancelled')", name=op.f("job_state_check")
        ),
        sa.CheckConstraint("strategy IN ('pinned', 'fifo')", name=op.f("job_strategy_check")),
        sa.CheckConstraint("ended_at IS NULL OR sealed IS NULL", name=op.f("job_unsealed_at_end_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("job_pkey")),
        schema="netpulse",
        comment="One row per job, kept as history. The queue's own row lives in procrastinate_jobs until the job ends",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "job_batch_idx",
        "job",
        ["batch_id", "id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("batch_id IS NOT NULL"),
    )
    op.create_index(
        "job_expiry_idx",
        "job",
        ["expires_at"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index("job_host_idx", "job", ["host", "id"], unique=False, schema="netpulse")
    op.create_index(
        "job_idempotency_idx",
        "job",
        ["submitted_by", "idempotency_key"],
        unique=True,
        schema="netpulse",
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.create_index(
        "job_running_idx",
        "job",
        ["worker_id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state IN ('claimed', 'started')"),
    )
    op.create_index(
        "job_schedule_idx",
        "job",
        ["schedule_id", "id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("schedule_id IS NOT NULL"),
    )
    op.create_index(
        "job_unfinished_idx",
        "job",
        ["state", "id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state <> 'finished'"),
    )
    op.create_index(
        "job_worker_idx",
        "job",
        ["worker_id", "id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("worker_id IS NOT NULL"),
    )
    op.create_table(
        "worker",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Incarnation: new at every process start",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="node:pid"),
        sa.Column("node", sa.Text(), nullable=False, comment="Host name of the machine"),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False, comment="Part of the network that this worker reaches"),
        sa.Column("capacity", sa.Integer(), nullable=False, comment="Sessions that it holds at the most"),
        sa.Column("state", sa.Text(), server_default="live", nullable=False),
        sa.Column(
            "queue_worker_id",
            sa.BigInteger(),
            nullable=False,
            comment="Its row in procrastinate_workers, which is gone once it is dead",
        ),
        sa.Column(
            "beat",
            sa.BigInteger(),
            server_default="0",
            nullable=False,
            comment="Counts heartbeats; a reaper compares it",
        ),
        sa.Column(
            "busy", sa.Integer(), server_default="0", nullable=False, comment="Jobs running at the last heartbeat"
        ),
        sa.Column(
            "held_sessions",
            sa.Integer(),
            server_default="0",
            nullable=False,
            comment="Sessions held at the last heartbeat",
        ),
        sa.Column("successful_jobs", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed_jobs", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column(
            "born_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Process start, by PostgreSQL's clock",
        ),
        sa.Column(
            "heartbeat_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Last heartbeat; shown to people, never compared",
        ),
        sa.Column("died_at", sa.DateTime(timezone=True), nullable=True, comment="When it left, or was declared dead"),
        sa.CheckConstraint("state IN ('live', 'draining', 'dead')", name=op.f("worker_state_check")),
        sa.CheckConstraint("zone ~ '^[a-z0-9_-]{1,30}$'", name=op.f("worker_zone_check")),
        sa.CheckConstraint("capacity > 0", name=op.f("worker_capacity_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("worker_pkey")),
        schema="netpulse",
        comment="One row per incarnation of a worker process",
    )
    op.create_index(
        "worker_alive_idx",
        "worker",
        ["zone", "id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state <> 'dead'"),
    )
    op.create_index(
        "worker_dead_idx",
        "worker",
        ["died_at"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_table(
        "device",
        sa.Column("key", sa.Text(), nullable=False, comment="host:port, IPv6 in brackets"),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("worker_id", sa.BigInteger(), nullable=True, comment="The incarnation that holds it; null: nobody"),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False, comment="+1 at each change of holder"),
        sa.Column(
            "submitted_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Last submission of a pinned job",
        ),
        sa.ForeignKeyConstraint(["worker_id"], ["netpulse.worker.id"], name=op.f("device_worker_id_fkey")),
        sa.PrimaryKeyConstraint("key", name=op.f("device_pkey")),
        schema="netpulse",
        comment="Which worker holds which device. Its row lock orders the submissions for the device",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("device_host_idx", "device", ["host"], unique=False, schema="netpulse")
    op.create_index(
        "device_worker_id_idx",
        "device",
        ["worker_id"],
        unique=False,
        schema="netpulse",
        postgresql_where=sa.text("worker_id IS NOT NULL"),
    )
    op.create_table(
        "session",
        sa.Column("id", sa.UUID(), nullable=False, comment="The worker's own, by chance"),
        sa.Column("worker_id", sa.BigInteger(), nullable=False),
        sa.Column("device_key", sa.Text(), nullable=False, comment="host:port, IPv6 in brackets"),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("driver", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True, comment="Who is logged in; null where the driver has no users"),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False, comment="Logged in; by the worker's clock"),
        sa.ForeignKeyConstraint(["worker_id"], ["netpulse.worker.id"], name=op.f("session_worker_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("session_pkey")),
        schema="netpulse",
        comment="The sessions that live workers hold, as last reported (every heartbeat or so)",
    )
    op.create_index("session_worker_id_idx", "session", ["worker_id"], unique=False, schema="netpulse")
    op.create_table(
        "job_output",
        sa.Column("job_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, comment="From 0, in the order of the request"),
        sa.Column("command", sa.Text(), nullable=False, comment="The command or configuration line"),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("stdout", sa.Text(), nullable=False),
        sa.Column("stderr", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "exit_status",
            sa.Integer(),
            nullable=True,
            comment="0 done, 1 refused, null skipped; the process's own where there is one",
        ),
        sa.Column("parsed", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True, comment="Sent; by the worker's clock"),
        sa.Column("duration_s", sa.Float(), server_default="0", nullable=False),
        sa.CheckConstraint("verdict IN ('done', 'refused', 'skipped')", name=op.f("job_output_verdict_check")),
        sa.ForeignKeyConstraint(
            ["job_id"], ["netpulse.job.id"], name=op.f("job_output_job_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "position", name=op.f("job_output_pkey")),
        schema="netpulse",
        comment="What a device said to one command or configuration line",
    )
    run_sql_file("queue.sql")
    for name in FUNCTIONS:
        run_sql_file(f"{name}.sql")


def downgrade() -> None:
    """Drop it all, history included."""
    run_sql_file("functions-drop.sql")
    run_sql_file("queue-drop.sql")
    op.drop_table("job_output", schema="netpulse")
    op.drop_index("session_worker_id_idx", table_name="session", schema="netpulse")
    op.drop_table("session", schema="netpulse")
    op.drop_index(
        "device_worker_id_idx",
        table_name="device",
        schema="netpulse",
        postgresql_where=sa.text("worker_id IS NOT NULL"),
    )
    op.drop_index("device_host_idx", table_name="device", schema="netpulse")
    op.drop_table("device", schema="netpulse")
    op.drop_index("worker_dead_idx", table_name="worker", schema="netpulse", postgresql_where=sa.text("state = 'dead'"))
    op.drop_index(
        "worker_alive_idx", table_name="worker", schema="netpulse", postgresql_where=sa.text("state <> 'dead'")
    )
    op.drop_table("worker", schema="netpulse")
    op.drop_index(
        "job_worker_idx", table_name="job", schema="netpulse", postgresql_where=sa.text("worker_id IS NOT NULL")
    )
    op.drop_index(
        "job_unfinished_idx", table_name="job", schema="netpulse", postgresql_where=sa.text("state <> 'finished'")
    )
    op.drop_index(
        "job_schedule_idx", table_name="job", schema="netpulse", postgresql_where=sa.text("schedule_id IS NOT NULL")
    )
    op.drop_index(
        "job_running_idx",
        table_name="job",
        schema="netpulse",
        postgresql_where=sa.text("state IN ('claimed', 'started')"),
    )
    op.drop_index(
        "job_idempotency_idx",
        table_name="job",
        schema="netpulse",
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
    op.drop_index("job_host_idx", table_name="job", schema="netpulse")
    op.drop_index("job_expiry_idx", table_name="job", schema="netpulse", postgresql_where=sa.text("state = 'queued'"))
    op.drop_index(
        "job_batch_idx", table_name="job", schema="netpulse", postgresql_where=sa.text("batch_id IS NOT NULL")
    )
    op.drop_table("job", schema="netpulse")
