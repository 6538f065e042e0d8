"""The tables of webhooks: what is to be delivered, and what came of it. See `jobs.tables`."""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID

from jobs.tables import job, metadata, timestamp

_OPEN = text("state IN ('due', 'sending')")

webhook_secret = Table(
    "webhook_secret",
    metadata,
    Column(
        "job_id",
        # Checked at commit: the row is made just before its job's.
        ForeignKey(job.c.id, ondelete="CASCADE", deferrable=True, initially="DEFERRED"),
        primary_key=True,
        comment="A job that has not ended, or of which the detached task has not",
    ),
    Column("sealed", LargeBinary, nullable=False, comment="Its encrypted webhook; goes to the delivery at the end"),
    comment="Whom to tell of a job's end, and with which secrets",
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True, comment="UUID version 7; the receiver sees it in each attempt"),
    Column("job_id", ForeignKey(job.c.id, ondelete="CASCADE"), nullable=False, comment="What it tells of"),
    Column("event_type", Text, nullable=False, comment="job.completed, …; task.log or task.ended of its detached task"),
    Column("url", Text, nullable=False, comment="Where to; what follows the host reads ***"),
    Column("receiver", Text, nullable=False, comment="scheme://host:port: what answers, or does not, as one"),
    Column(
        "state",
        Text,
        nullable=False,
        server_default="due",
        comment="due: waits for next_at; sending: a worker has it; delivered; failed: given up",
    ),
    Column("attempts", Integer, nullable=False, server_default="0", comment="Begun so far"),
    Column(
        "attempts_before",
        Integer,
        nullable=False,
        server_default="0",
        comment="Of these, before somebody last put it back: the retries count from there",
    ),
    timestamp("next_at", "Due: when to try; sending: when the worker that has it counts as lost; null: it is over"),
    Column(
        "sealed",
        LargeBinary,
        comment="The encrypted webhook; removed when it is delivered, or was given up some days ago",
    ),
    Column("said", JSONB, comment="Of task.log, the piece: {text, offset, next_offset}; goes with sealed"),
    timestamp("created_at", "The job's or task's end, or the log was seen", default_now=True),
    timestamp("delivered_at", "The receiver said that it has it"),
    timestamp("failed_at", "Given up"),
    CheckConstraint("state IN ('due', 'sending', 'delivered', 'failed')", name="state"),
    CheckConstraint("(state IN ('due', 'sending')) = (next_at IS NOT NULL)", name="next"),
    CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="delivered"),
    CheckConstraint("(state = 'failed') = (failed_at IS NOT NULL)", name="failed"),
    CheckConstraint("state <> 'delivered' OR (sealed IS NULL AND said IS NULL)", name="sealed"),
    # claim_deliveries: the receivers, and what waits longest for each.
    Index("webhook_delivery_due_idx", "receiver", "next_at", postgresql_where=_OPEN),
    # When to look again.
    Index("webhook_delivery_next_idx", "next_at", postgresql_where=_OPEN),
    # claim_deliveries: whether an older one of the job waits; tell_task_log: how many do.
    Index("webhook_delivery_waiting_idx", "job_id", "id", postgresql_where=_OPEN),
    # A job's deliveries, in order; and those that go with it.
    Index("webhook_delivery_job_idx", "job_id", "id"),
    # GET /webhook/delivery?receiver=
    Index("webhook_delivery_receiver_idx", "receiver", "id"),
    # GET /webhook/delivery?state=, of the few that are not delivered
    Index("webhook_delivery_open_idx", "id", postgresql_where=text("state <> 'delivered'")),
    # report.delivery: what was to be told in a time
    Index("webhook_delivery_created_idx", "created_at"),
    # Sealed parts that are to be removed
    Index(
        "webhook_delivery_failed_idx",
        "failed_at",
        postgresql_where=text("state = 'failed' AND sealed IS NOT NULL"),
    ),
    comment="A message about a job, to be brought to a receiver",
)

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column(
        "delivery_id",
        ForeignKey(webhook_delivery.c.id, ondelete="CASCADE"),
        primary_key=True,
        comment="What was tried",
    ),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="From 1"),
    Column("started_at", DateTime(timezone=True), nullable=False, comment="A worker took it"),
    Column("duration_s", Float, comment="Until its end; null: under way, or its worker was lost"),
    Column("status", Integer, comment="HTTP status of the answer; null: there was none"),
    Column("error", Text, comment="Why it was not delivered; null: it was, or is under way"),
    Column("worker", Text, nullable=False, comment="Name of the worker"),
    comment="Each time that a delivery was tried",
)

webhook_receiver = Table(
    "webhook_receiver",
    metadata,
    Column("receiver", Text, primary_key=True, comment="scheme://host:port"),
    Column("failures", Integer, nullable=False, comment="In a row: no answer, or a status of 500 and more"),
    Column(
        "rest_until",
        DateTime(timezone=True),
        nullable=False,
        comment="Not tried before, if it failed too often",
    ),
    comment="Receivers that did not answer the last time; the row goes when one does",
)
