"""Which errors mean that the same statement may succeed later."""

import asyncpg
import pytest

from jobs.database import is_transient


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (asyncpg.AdminShutdownError("restarting"), True),
        (asyncpg.DeadlockDetectedError("chosen"), True),
        (asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"), True),
        (asyncpg.CheckViolationError("no"), False),
        (ValueError("ours"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_transient(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient
