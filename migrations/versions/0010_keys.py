"""The keys with which clients come, and calling off only what a key may see."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.sqlfile import run_sql_file

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

FUNCTIONS = {
    "host_allowed": "text, text[]",
    "cancel_jobs": "uuid, text, text, uuid, text[], text[]",
    "abort_jobs": "uuid, text, text, uuid, text[], text[]",
    "take_requests": "text, integer, integer, integer",
}
"""Files of migrations/sql/0010, and the types of the function's parameters."""

_REPLACED = ("cancel_jobs", "abort_jobs")


def upgrade() -> None:
    """Create the tables and their functions; a service of the release before calls both that are replaced."""
    _create_api_key()
    _create_request_rate()
    for name in _REPLACED:
        op.execute(f"DROP FUNCTION netpulse.{name} (uuid, text, text, uuid)")
    for name in FUNCTIONS:
        run_sql_file(f"0010/{name}.sql")


def _create_api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("id", sa.Text(), nullable=False, comment="The part of the key that is no secret"),
        sa.Column("name", sa.Text(), nullable=False, comment="Who it is; for ever: jobs and audit events name it"),
        sa.Column("digest", sa.Text(), nullable=False, comment="SHA-256 of the whole key, hexadecimal"),
        sa.Column("previous_digest", sa.Text(), nullable=True, comment="That of the key before the last rotation"),
        sa.Column(
            "previous_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="The key before the last rotation counts until then",
        ),
        sa.Column(
            "scopes", postgresql.ARRAY(sa.Text()), nullable=False, comment="What it may do: read, query, config, admin"
        ),
        sa.Column(
            "hosts",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="Networks (CIDR) and globs of the devices it may reach; null: any",
        ),
        sa.Column(
            "credentials",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="Globs of the credential paths that its jobs may use; null: any",
        ),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True, comment="Null: as the site says; 0: no limit"),
        sa.Column(
            "queued_jobs",
            sa.Integer(),
            nullable=True,
            comment="Jobs it may have waiting; null: as the site says; 0: no limit",
        ),
        sa.Column("description", sa.Text(), server_default="", nullable=False, comment="For people"),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Name of the API key, or cli"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="Made"
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True, comment="Counts until then; null: for ever"),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True, comment="Counts no more; null: it does"),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True, comment="To the minute"),
        sa.CheckConstraint(
            "name ~ '^[a-z0-9][a-z0-9._-]{0,62}$' AND name NOT IN ('admin', 'cli')", name=op.f("api_key_name_check")
        ),
        sa.CheckConstraint(
            "scopes <@ ARRAY['read', 'query', 'config', 'admin'] AND scopes <> '{}'", name=op.f("api_key_scopes_check")
        ),
        sa.CheckConstraint("(previous_digest IS NULL) = (previous_until IS NULL)", name=op.f("api_key_previous_check")),
        sa.CheckConstraint("requests_per_minute >= 0 AND queued_jobs >= 0", name=op.f("api_key_limits_check")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_key_pkey")),
        sa.UniqueConstraint("name", name=op.f("api_key_name_key")),
        schema="netpulse",
        comment="The keys with which clients come, and what each may do",
    )


def _create_request_rate() -> None:
    op.create_table(
        "request_rate",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False, comment="Requests that it may make at once"),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=False, comment="When there were so many"),
        sa.PrimaryKeyConstraint("key_id", name=op.f("request_rate_pkey")),
        schema="netpulse",
        comment="How many requests each key has left, over all API processes. Unlogged: a crash forgives",
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    """Drop it all: only the key of the settings is left."""
    for name, types in FUNCTIONS.items():
        op.execute(f"DROP FUNCTION netpulse.{name} ({types})")
    for name in _REPLACED:
        run_sql_file(f"{name}.sql")
    op.drop_table("request_rate", schema="netpulse")
    op.drop_table("api_key", schema="netpulse")
