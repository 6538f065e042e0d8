"""claim_jobs can be told which devices to look at, and submit_jobs says which device has work."""

from alembic import op

from migrations.sqlfile import run_sql_file

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replace both functions; a worker of the release before calls claim_jobs without the new parameter."""
    op.execute("DROP FUNCTION netpulse.claim_jobs (bigint, bigint, integer, integer)")
    run_sql_file("0003/claim_jobs.sql")
    run_sql_file("0003/submit_jobs.sql")


def downgrade() -> None:
    """Put the former ones back."""
    op.execute("DROP FUNCTION netpulse.claim_jobs (bigint, bigint, integer, integer, text[])")
    run_sql_file("claim_jobs.sql")
    run_sql_file("submit_jobs.sql")
