"""Submissions of a thousand jobs that no longer compare each with each."""

from migrations.sqlfile import run_sql_file

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace the function."""
    run_sql_file("0009/submit_jobs.sql")


def downgrade() -> None:
    """Put the one before back."""
    run_sql_file("0004/submit_jobs.sql")
