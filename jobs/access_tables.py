"""The tables of who may do what: API keys, what was decided, stored credentials. See `jobs.tables`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from jobs.tables import metadata, timestamp

api_key = Table(
    "api_key",
    metadata,
    Column("id", Text, primary_key=True, comment="The part of the key that is no secret"),
    Column("name", Text, nullable=False, unique=True, comment="Who it is; for ever: jobs and audit events name it"),
    Column("digest", Text, nullable=False, comment="SHA-256 of the whole key, hexadecimal"),
    Column("previous_digest", Text, comment="That of the key before the last rotation"),
    timestamp("previous_until", "The key before the last rotation counts until then"),
    Column("scopes", ARRAY(Text), nullable=False, comment="What it may do: read, query, config, admin"),
    Column("hosts", ARRAY(Text), comment="Networks (CIDR) and globs of the devices it may reach; null: any"),
    Column("credentials", ARRAY(Text), comment="Globs of the credential paths that its jobs may use; null: any"),
    Column("requests_per_minute", Integer, comment="Null: as the site says; 0: no limit"),
    Column("queued_jobs", Integer, comment="Jobs it may have waiting; null: as the site says; 0: no limit"),
    Column("description", Text, nullable=False, server_default="", comment="For people"),
    Column("created_by", Text, nullable=False, comment="Name of the API key, or cli"),
    timestamp("created_at", "Made", default_now=True),
    timestamp("expires_at", "Counts until then; null: for ever"),
    timestamp("revoked_at", "Counts no more; null: it does"),
    timestamp("last_used_at", "To the minute"),
    CheckConstraint("scopes <@ ARRAY['read', 'query', 'config', 'admin'] AND scopes <> '{}'", name="scopes"),
    CheckConstraint("name ~ '^[a-z0-9][a-z0-9._-]{0,62}$' AND name NOT IN ('admin', 'cli')", name="name"),
    CheckConstraint("(previous_digest IS NULL) = (previous_until IS NULL)", name="previous"),
    CheckConstraint("requests_per_minute >= 0 AND queued_jobs >= 0", name="limits"),
    comment="The keys with which clients come, and what each may do",
)

request_rate = Table(
    "request_rate",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("tokens", Float, nullable=False, comment="Requests that it may make at once"),
    Column("filled_at", DateTime(timezone=True), nullable=False, comment="When there were so many"),
    comment="How many requests each key has left, over all API processes. Unlogged: a crash forgives",
    prefixes=["UNLOGGED"],
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    timestamp("at", "When it was decided", default_now=True),
    Column("actor", Text, comment="Name of the API key; cli: the command line; null: no known key"),
    Column("client", Text, comment="Address that it came from; null: the command line"),
    Column("request_id", Text, comment="The answer's X-Request-ID"),
    Column("action", Text, nullable=False, comment="Method and route, such as POST /device/execute; or the command"),
    Column("host", Text, comment="On which device; null: on none, or on those of the batch"),
    Column("subject", Text, comment="On what else: a credential's path, a key's name, …"),
    Column("allowed", Boolean, nullable=False),
    Column("reason", Text, comment="Why it was not allowed"),
    Column("job_id", UUID(as_uuid=True), comment="What it led to"),
    Column("batch_id", UUID(as_uuid=True), comment="What it led to"),
    Column("detail", JSONB, comment="What else there is to say; no secrets"),
    # GET /audit?actor=, ?host=, ?job=, ?batch=, ?request_id=, ?allowed=false
    Index("audit_event_actor_idx", "actor", "id"),
    Index("audit_event_host_idx", "host", "id", postgresql_where=text("host IS NOT NULL")),
    Index("audit_event_job_idx", "job_id", postgresql_where=text("job_id IS NOT NULL")),
    Index("audit_event_batch_idx", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
    Index("audit_event_request_idx", "request_id"),
    Index("audit_event_refused_idx", "id", postgresql_where=text("NOT allowed")),
    # GET /audit?since=
    Index("audit_event_at_idx", "at"),
    comment="Who asked for what, from where, and whether it was allowed. Rows are never changed",
)

credential = Table(
    "credential",
    metadata,
    Column("path", Text, primary_key=True, comment="As clients refer to it, such as sites/hq/admin"),
    Column("current_version", Integer, nullable=False, comment="The latest"),
    Column("custom_metadata", JSONB, nullable=False, comment="Texts by name, for people; no secrets"),
    timestamp("created_at", "First version", default_now=True),
    timestamp("updated_at", "Latest version", default_now=True),
    comment="Credentials of the provider `local`",
)

credential_version = Table(
    "credential_version",
    metadata,
    Column("path", ForeignKey(credential.c.path, ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False, comment="From 1"),
    Column("sealed", LargeBinary, nullable=False, comment="Encrypted JSON object of texts"),
    Column("created_by", Text, nullable=False, comment="Name of the API key"),
    timestamp("created_at", "Stored", default_now=True),
    comment="What a credential was from when on; the latest ten are kept",
)
