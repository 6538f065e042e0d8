"""The tables of schedules. See `jobs.tables`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from jobs.tables import metadata, timestamp

schedule = Table(
    "schedule",
    metadata,
    Column("id", UUID(as_uuid=True), primary_key=True),
    Column("name", Text, nullable=False, unique=True, comment="For people"),
    Column("cron", Text, nullable=False, comment="Minute, hour, day of month, month, day of week"),
    Column("timezone", Text, nullable=False, comment="Name in the IANA database: where the clock hangs"),
    Column("body", JSONB, nullable=False, comment="Of /device/execute, or with `devices` of /device/bulk; no secrets"),
    Column("jobs", JSONB, nullable=False, comment="What is queued: array of netpulse.new_job, without a sealed part"),
    Column("hosts", ARRAY(Text), nullable=False, comment="Names or addresses of its devices, each once"),
    Column("enabled", Boolean, nullable=False, server_default="true"),
    Column("overlap", Text, nullable=False, comment="A tick while the last firing's jobs run: skip it, or queue more"),
    Column("missed", Text, nullable=False, comment="Ticks when nobody was there: skip them, or make up for all once"),
    timestamp("next_at", "The tick that is due next; null: it is not enabled, or will never be due again"),
    timestamp("last_at", "When it last fired"),
    Column("last_job", UUID(as_uuid=True), comment="The job that its last firing queued"),
    Column("last_batch", UUID(as_uuid=True), comment="The batch that its last firing queued"),
    Column(
        "submitted_by", Text, nullable=False, comment="Name of the API key that gave the body: the jobs are its own"
    ),
    timestamp("created_at", "Made", default_now=True),
    timestamp("updated_at", "Last change by a person", default_now=True),
    CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'", name="name"),
    CheckConstraint("overlap IN ('skip', 'queue')", name="overlap"),
    CheckConstraint("missed IN ('skip', 'once')", name="missed"),
    CheckConstraint("enabled OR next_at IS NULL", name="next"),
    CheckConstraint("jsonb_array_length(jobs) BETWEEN 1 AND 10000", name="jobs"),
    # jobs.firing: what is due
    Index("schedule_next_at_idx", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    comment="Requests that come again and again by themselves",
)

schedule_firing = Table(
    "schedule_firing",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("schedule_id", ForeignKey(schedule.c.id, ondelete="CASCADE"), nullable=False),
    timestamp("tick", "The moment that was due; null: somebody wanted it at once"),
    timestamp("at", "When that was decided", default_now=True),
    Column("skipped", Text, comment="Why nothing was queued; null: something was"),
    Column("job_id", UUID(as_uuid=True), comment="The job that was queued"),
    Column("batch_id", UUID(as_uuid=True), comment="The batch that was queued"),
    Column("queued", Integer, nullable=False, server_default="0", comment="Jobs that were queued"),
    Column("refused", Integer, nullable=False, server_default="0", comment="Jobs that were not: see submit_jobs"),
    Column("rest_from", Integer, comment="The jobs from there on are still to be queued; null: none is"),
    # Twice for one tick cannot be
    Index("schedule_firing_tick_idx", "schedule_id", "tick", unique=True, postgresql_where=text("tick IS NOT NULL")),
    # GET /schedule/{id}; all but the latest hundred are removed
    Index("schedule_firing_schedule_idx", "schedule_id", "id"),
    # jobs.firing: what was interrupted
    Index("schedule_firing_rest_idx", "schedule_id", postgresql_where=text("rest_from IS NOT NULL")),
    comment="What became of a schedule's latest hundred ticks",
)
