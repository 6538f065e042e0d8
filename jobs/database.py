"""Connections to PostgreSQL by asyncpg, for the worker and for those who listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import TypeAlias

import asyncpg
import structlog

log = structlog.get_logger()

Connection: TypeAlias = asyncpg.Connection
Pool: TypeAlias = asyncpg.Pool

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
    AttributeError,
)
"""What a lost connection raises.

InternalClientError ("another operation is in progress") and AttributeError come from asyncpg's pool, when a connection
ends during a call.
"""

RECONNECT_S = 0.2


def is_transient(error: BaseException) -> bool:
    """True if the same statement may succeed later: PostgreSQL is away, restarting, short of something, deadlocked."""
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in ("08", "40", "53", "55", "57", "58")
    return isinstance(error, LOST)


async def prepare(connection: Connection) -> None:
    """Let jsonb values be Python objects on this connection."""
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


async def connect(url: str, *, timeout_s: float = 5) -> Connection:
    """One prepared connection of its own."""
    connection = await asyncpg.connect(url, timeout=timeout_s)
    await prepare(connection)
    return connection


async def create_pool(url: str, *, size: int) -> Pool:
    """A pool of up to `size` prepared connections, for single statements: what one sets on a connection stays."""
    pool = await asyncpg.create_pool(url, min_size=1, max_size=size, init=prepare, reset=_keep, command_timeout=30)
    assert pool is not None
    return pool


async def _keep(_connection: Connection) -> None:
    """asyncpg's own reset is a round trip after each use."""


async def listen(url: str, heard: Mapping[str, Callable[[str], None]], reconnected: Callable[[], None]) -> None:
    """Hand each notification's payload to its channel's callable, for ever; connect anew whenever the connection ends.

    `reconnected` is called after every connect, the first too: notices may have been missed until then.
    """
    while True:
        try:
            connection = await asyncpg.connect(url, timeout=5)
        except (*LOST, asyncpg.PostgresError):
            await asyncio.sleep(RECONNECT_S)
            continue
        try:
            await _listen_until_closed(connection, heard, reconnected)
            log.warning("listener.lost", channels=sorted(heard))
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("listener.failed", error=type(error).__name__)
        finally:
            connection.terminate()
        await asyncio.sleep(RECONNECT_S)


async def _listen_until_closed(
    connection: Connection, heard: Mapping[str, Callable[[str], None]], reconnected: Callable[[], None]
) -> None:
    closed = asyncio.Event()
    connection.add_termination_listener(lambda _connection: closed.set())
    for channel in heard:
        await connection.add_listener(channel, lambda _connection, _pid, name, payload: heard[name](payload))
    reconnected()
    await closed.wait()
