"""The template library."""

import sqlalchemy as sa
from alembic import op

from migrations.sqlfile import run_sql_file

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FUNCTIONS = {
    "create_template": "text, text, text, text, text, text",
    "revise_template": "text, text, text, text, text, text",
    "remove_template": "text, text",
}
"""Files of migrations/sql/0007, and the types of the function's parameters."""


def upgrade() -> None:
    """Create both tables and their functions."""
    _create_template()
    _create_template_version()
    for name in FUNCTIONS:
        run_sql_file(f"0007/{name}.sql")


def _create_template() -> None:
    op.create_table(
        "template",
        sa.Column("kind", sa.Text(), nullable=False, comment="What renders or parses with it"),
        sa.Column("name", sa.Text(), nullable=False, comment="As clients refer to it: name://kind/name"),
        sa.Column("version", sa.Integer(), nullable=False, comment="The latest"),
        sa.Column("description", sa.Text(), nullable=False, comment="For people"),
        sa.Column("sample", sa.Text(), nullable=False, comment="An example: a context in JSON, or a device's output"),
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
            comment="Last change of text, description or sample",
        ),
        sa.Column(
            "removed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="Not null: it is gone; kept so that version numbers go on",
        ),
        sa.CheckConstraint("kind IN ('jinja2', 'textfsm', 'ttp', 'regex')", name=op.f("template_kind_check")),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("template_pkey")),
        schema="netpulse",
        comment="Templates that clients refer to by name",
    )


def _create_template_version() -> None:
    op.create_table(
        "template_version",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False, comment="From 1"),
        sa.Column("text", sa.Text(), nullable=False, comment="The template; never changes"),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Name of the API key; import: the command line"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="Stored"
        ),
        sa.ForeignKeyConstraint(
            ["kind", "name"],
            ["netpulse.template.kind", "netpulse.template.name"],
            name=op.f("template_version_kind_fkey"),
        ),
        sa.PrimaryKeyConstraint("kind", "name", "version", name=op.f("template_version_pkey")),
        schema="netpulse",
        comment="What a template said from when on",
    )


def downgrade() -> None:
    """Drop it all: the library is gone."""
    for name, types in FUNCTIONS.items():
        op.execute(f"DROP FUNCTION netpulse.{name} ({types})")
    op.drop_table("template_version", schema="netpulse")
    op.drop_table("template", schema="netpulse")
