"""Each output's text once, when outputs changed, and searching them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.sqlfile import run_sql_file

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, move the texts, index what is new, and replace the function that stores outputs."""
    run_sql_file("0013/words_of.sql")
    _create_output_text()
    _create_output_latest()
    _create_output_change()
    _add_columns()
    run_sql_file("0013/convert_outputs.sql")
    op.drop_column("job_output", "stdout", schema="netpulse")
    _create_indexes()
    for name in ("save_outputs", "remove_texts"):
        run_sql_file(f"0013/{name}.sql")


def _create_output_text() -> None:
    op.create_table(
        "output_text",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of the text in UTF-8"),
        sa.Column("body", sa.Text(), nullable=False, comment="The text; never changes, never empty"),
        sa.Column(
            "words",
            postgresql.TSVECTOR(),
            sa.Computed("netpulse.words_of(body)", persisted=True),
            comment="Its words without their places; of a large text those of its first 250 kB",
        ),
        sa.Column(
            "first_seen_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Stored",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("output_text_pkey")),
        schema="netpulse",
        comment="What devices said; a text that many outputs share is here once",
    )


def _create_output_latest() -> None:
    op.create_table(
        "output_latest",
        sa.Column("device_key", sa.Text(), nullable=False, comment="host:port, IPv6 in brackets"),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), comment="Of output_text; null: the device said nothing"),
        sa.Column("job_id", sa.UUID(), nullable=False, comment="The job that showed it last"),
        sa.Column("position", sa.Integer(), nullable=False, comment="Of the output in that job"),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, comment="That job's end"),
        sa.Column("previous_digest", sa.LargeBinary(), comment="Of the output before it, whether it differs or not"),
        sa.Column("previous_job_id", sa.UUID(), comment="The job that showed that one; null: there was none"),
        sa.Column("previous_seen_at", sa.DateTime(timezone=True), comment="That job's end"),
        sa.PrimaryKeyConstraint("device_key", "command", name=op.f("output_latest_pkey")),
        schema="netpulse",
        comment="What each command said last on each device",
        postgresql_with={"fillfactor": "70"},
    )


def _create_output_change() -> None:
    op.create_table(
        "output_change",
        sa.Column(
            "id",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="Ascends in time for a command on a device",
        ),
        sa.Column("device_key", sa.Text(), nullable=False, comment="host:port, IPv6 in brackets"),
        sa.Column("host", sa.Text(), nullable=False, comment="Name or address as normalised, without the port"),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="End of the job that showed it first",
        ),
        sa.Column("job_id", sa.UUID(), nullable=False, comment="That job; retention may have removed it"),
        sa.Column("position", sa.Integer(), nullable=False, comment="Of the output in that job"),
        sa.Column("digest", sa.LargeBinary(), comment="The output from then on; null: nothing was said"),
        sa.Column(
            "previous_digest",
            sa.LargeBinary(),
            comment="The output until then; null: nothing was said, or it is the first",
        ),
        sa.Column("previous_job_id", sa.UUID(), comment="The job that showed that one last; null: this is the first"),
        sa.Column("previous_seen_at", sa.DateTime(timezone=True), comment="That job's end"),
        sa.ForeignKeyConstraint(["digest"], ["netpulse.output_text.digest"], name=op.f("output_change_digest_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("output_change_pkey")),
        schema="netpulse",
        comment="When what a command says on a device became another; one row per version, the first included",
    )


def _add_columns() -> None:
    digest = sa.Column(
        "digest",
        sa.LargeBinary(),
        comment="What it said, in output_text; null: nothing, or it was not kept (options.record)",
    )
    size_bytes = sa.Column(
        "size_bytes",
        sa.Integer(),
        server_default="0",
        nullable=False,
        comment="Of what it said, kept or not, in UTF-8",
    )
    op.add_column("job_output", digest, schema="netpulse")
    op.add_column("job_output", size_bytes, schema="netpulse")


def _create_indexes() -> None:
    """After the rows: so they take a fraction of the time."""
    op.create_foreign_key(
        op.f("job_output_digest_fkey"),
        "job_output",
        "output_text",
        ["digest"],
        ["digest"],
        source_schema="netpulse",
        referent_schema="netpulse",
    )
    kept = sa.text("digest IS NOT NULL")
    op.create_index("job_output_digest_idx", "job_output", ["digest"], schema="netpulse", postgresql_where=kept)
    op.create_index(
        "job_output_parsed_idx",
        "job_output",
        ["parsed"],
        schema="netpulse",
        postgresql_using="gin",
        postgresql_ops={"parsed": "jsonb_path_ops"},
        postgresql_where=sa.text("parsed IS NOT NULL"),
    )
    op.create_index("output_text_words_idx", "output_text", ["words"], schema="netpulse", postgresql_using="gin")
    op.create_index(
        "output_change_host_idx", "output_change", ["host", "command", "changed_at", "id"], schema="netpulse"
    )
    op.create_index("output_change_at_idx", "output_change", ["changed_at"], schema="netpulse")
    op.create_index("output_change_digest_idx", "output_change", ["digest"], schema="netpulse", postgresql_where=kept)


def downgrade() -> None:
    """Bring the texts back into their rows, and drop the rest: the history of changes is gone."""
    op.add_column("job_output", sa.Column("stdout", sa.Text(), server_default="", nullable=False), schema="netpulse")
    run_sql_file("0013/restore_outputs.sql")
    op.alter_column("job_output", "stdout", server_default=None, schema="netpulse")
    for name in ("digest", "size_bytes"):
        op.drop_column("job_output", name, schema="netpulse")
    op.drop_index("job_output_parsed_idx", table_name="job_output", schema="netpulse")
    for name in ("output_change", "output_latest", "output_text"):
        op.drop_table(name, schema="netpulse")
    op.execute("DROP FUNCTION netpulse.remove_texts (bytea[])")
    op.execute("DROP FUNCTION netpulse.words_of (text)")
    run_sql_file("0008/save_outputs.sql")
