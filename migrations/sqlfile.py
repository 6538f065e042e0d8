"""Running the SQL files in `migrations/sql/` from a revision."""

from pathlib import Path

from alembic import op

DIRECTORY = Path(__file__).parent / "sql"


def run_sql_file(name: str) -> None:
    """Run all statements of `migrations/sql/<name>` in the revision's transaction, word for word.

    `%` and `:name` in it mean nothing. Raises FileNotFoundError, or the database's error.
    """
    statements = (DIRECTORY / name).read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(statements, execution_options={"no_parameters": True})
