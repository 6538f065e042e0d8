"""PostgreSQL out of reach, as SQLAlchemy tells it."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jobs.database import is_transient

_AWAY = (PoolTimeout, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError)
"""What connecting raises unwrapped. Its callers do no I/O but with PostgreSQL, so any OSError is one of its."""


def is_database_away(error: Exception) -> bool:
    """True if PostgreSQL does not answer, or has no connection left for us."""
    if isinstance(error, DBAPIError):
        away = isinstance(error, InterfaceError | OperationalError) or error.connection_invalidated
        return away or (error.orig is not None and is_transient(error.orig.__cause__ or error.orig))
    return isinstance(error, _AWAY)
