"""The tables of what devices said: each text once, and when an output changed. See `jobs.tables`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR, UUID

from jobs.tables import metadata, timestamp

output_text = Table(
    "output_text",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="SHA-256 of the text in UTF-8"),
    Column("body", Text, nullable=False, comment="The text; never changes, never empty"),
    Column(
        "words",
        TSVECTOR,
        Computed("netpulse.words_of(body)", persisted=True),
        comment="Its words without their places; of a large text those of its first 250 kB",
    ),
    timestamp("first_seen_at", "Stored", default_now=True),
    # GET /job?output=
    Index("output_text_words_idx", "words", postgresql_using="gin"),
    comment="What devices said; a text that many outputs share is here once",
)

output_latest = Table(
    "output_latest",
    metadata,
    Column("device_key", Text, primary_key=True, comment="host:port, IPv6 in brackets"),
    Column("command", Text, primary_key=True),
    Column("digest", LargeBinary, comment="Of output_text; null: the device said nothing"),
    Column("job_id", UUID(as_uuid=True), nullable=False, comment="The job that showed it last"),
    Column("position", Integer, nullable=False, comment="Of the output in that job"),
    Column("seen_at", DateTime(timezone=True), nullable=False, comment="That job's end"),
    Column("previous_digest", LargeBinary, comment="Of the output before it, whether it differs or not"),
    Column("previous_job_id", UUID(as_uuid=True), comment="The job that showed that one; null: there was none"),
    timestamp("previous_seen_at", "That job's end"),
    Column(
        "host",
        Text,
        Computed("btrim(regexp_replace(device_key, ':[0-9]+$', ''), '[]')", persisted=True),
        comment="Of device_key: name or address as normalised, without the port",
    ),
    # report.latest_output, by device and by command
    Index("output_latest_host_idx", "host", "command"),
    Index("output_latest_command_idx", "command", "device_key"),
    comment="What each command said last on each device",
    postgresql_with={"fillfactor": "70"},
)

output_change = Table(
    "output_change",
    metadata,
    Column(
        "id", BigInteger, Identity(always=True), primary_key=True, comment="Ascends in time for a command on a device"
    ),
    Column("device_key", Text, nullable=False, comment="host:port, IPv6 in brackets"),
    Column("host", Text, nullable=False, comment="Name or address as normalised, without the port"),
    Column("command", Text, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False, comment="End of the job that showed it first"),
    Column("job_id", UUID(as_uuid=True), nullable=False, comment="That job; retention may have removed it"),
    Column("position", Integer, nullable=False, comment="Of the output in that job"),
    Column("digest", ForeignKey(output_text.c.digest), comment="The output from then on; null: nothing was said"),
    Column("previous_digest", LargeBinary, comment="The output until then; null: nothing was said, or it is the first"),
    Column("previous_job_id", UUID(as_uuid=True), comment="The job that showed that one last; null: this is the first"),
    timestamp("previous_seen_at", "That job's end"),
    # GET /device/{host}/history
    Index("output_change_host_idx", "host", "command", "changed_at", "id"),
    # What changed since a time, on any device
    Index("output_change_at_idx", "changed_at"),
    # remove_texts
    Index("output_change_digest_idx", "digest", postgresql_where=text("digest IS NOT NULL")),
    comment="When what a command says on a device became another; one row per version, the first included",
)
