"""The tables of retention and of what is counted. See `jobs.tables`."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Integer, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from jobs.tables import metadata, timestamp

_STATES = "state IN ('finished', 'failed', 'cancelled')"

job_tally = Table(
    "job_tally",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    timestamp("at", "When", default_now=True),
    Column("state", Text, nullable=False, comment="In which they ended"),
    Column("ended", Integer, nullable=False, server_default="0", comment="Jobs that ended so"),
    Column("removed", Integer, nullable=False, server_default="0", comment="Of such jobs, how many left the history"),
    comment="What fold_tally has not added to job_total yet: a row for each end, so that no two wait for each other",
)

job_total = Table(
    "job_total",
    metadata,
    Column("state", Text, primary_key=True),
    Column("ended", BigInteger, nullable=False, comment="Jobs that ever ended so"),
    Column("removed", BigInteger, nullable=False, comment="How many of them have left the history"),
    CheckConstraint(_STATES, name="state"),
    comment="How many jobs have ended, but for those in job_tally",
)

job_minute = Table(
    "job_minute",
    metadata,
    Column("minute", DateTime(timezone=True), primary_key=True, comment="Its beginning"),
    Column("state", Text, primary_key=True),
    Column("ended", BigInteger, nullable=False, comment="Jobs that ended so in that minute"),
    comment="How many jobs ended in each minute of the last day, but for those in job_tally",
)

retention_round = Table(
    "retention_round",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("by", Text, nullable=False, comment="Who removes: a worker's name, or cli"),
    timestamp("began_at", "Its begin", default_now=True),
    timestamp("seen_at", "Its latest batch", default_now=True),
    timestamp("ended_at", "Nothing was left; null: under way, or interrupted"),
    Column(
        "removed",
        JSONB,
        nullable=False,
        server_default=text("'{}'"),
        comment="How many, by the kind's name",
    ),
    comment="The latest hundred times that retention went through the history",
)
