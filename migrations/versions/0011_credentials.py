"""Stored credentials."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.sqlfile import run_sql_file

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

FUNCTIONS = {"store_credential": "text, bytea, jsonb, text", "remove_credential": "text"}
"""Files of migrations/sql/0011, and the types of the function's parameters."""


def upgrade() -> None:
    """Create both tables and their functions."""
    _create_credential()
    _create_credential_version()
    for name in FUNCTIONS:
        run_sql_file(f"0011/{name}.sql")


def _create_credential() -> None:
    op.create_table(
        "credential",
        sa.Column("path", sa.Text(), nullable=False, comment="As clients refer to it, such as sites/hq/admin"),
        sa.Column("current_version", sa.Integer(), nullable=False, comment="The latest"),
        sa.Column(
            "custom_metadata", postgresql.JSONB(), nullable=False, comment="Texts by name, for people; no secrets"
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="First version",
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Latest version",
        ),
        sa.PrimaryKeyConstraint("path", name=op.f("credential_pkey")),
        schema="netpulse",
        comment="Credentials of the provider `local`",
    )


def _create_credential_version() -> None:
    op.create_table(
        "credential_version",
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False, comment="From 1"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="Encrypted JSON object of texts"),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Name of the API key"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="Stored"
        ),
        sa.ForeignKeyConstraint(
            ["path"], ["netpulse.credential.path"], name=op.f("credential_version_path_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("path", "version", name=op.f("credential_version_pkey")),
        schema="netpulse",
        comment="What a credential was from when on; the latest ten are kept",
    )


def downgrade() -> None:
    """Drop it all: the credentials are gone."""
    for name, types in FUNCTIONS.items():
        op.execute(f"DROP FUNCTION netpulse.{name} ({types})")
    op.drop_table("credential_version", schema="netpulse")
    op.drop_table("credential", schema="netpulse")
