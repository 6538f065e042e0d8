"""Why an output could not be parsed."""

import sqlalchemy as sa
from alembic import op

from migrations.sqlfile import run_sql_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and replace the function that fills it."""
    column = sa.Column("parsing_error", sa.Text(), comment="Why `parsed` is null, where parsing was asked for")
    op.add_column("job_output", column, schema="netpulse")
    run_sql_file("0008/save_outputs.sql")


def downgrade() -> None:
    """Remove it."""
    op.drop_column("job_output", "parsing_error", schema="netpulse")
    run_sql_file("0004/save_outputs.sql")
