"""Logins that were refused too often in a row rest, before they lock an account. Counted over all workers, by SQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg
import structlog
from sqlalchemy import Row, Select, delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from drivers.base import Target
from drivers.errors import AuthenticationFailed
from jobs.addresses import host_in, is_at
from jobs.database import LOST, Pool
from jobs.host_patterns import HostPatterns, only
from jobs.seal import Seal
from jobs.tables import circuit

log = structlog.get_logger()

Outdated: TypeAlias = Callable[[Target], Awaitable[bool]]

PATIENCE_S = 2.0
"""A login waits for PostgreSQL at most so long, each time; then it goes uncounted."""

_BEGIN = "SELECT * FROM netpulse.begin_login($1, $2, $3)"
_REFUSED = "SELECT * FROM netpulse.login_refused($1, $2, $3, $4, $5)"
_END_PROBE = "SELECT * FROM netpulse.end_probe($1, $2, $3)"
_ACCEPTED = "DELETE FROM netpulse.circuit WHERE device_key = $1 AND login = $2"


@dataclass(frozen=True)
class Circuits:
    """The breakers of one worker's logins, one per device and login. `limit` refusals in a row make one rest."""

    database: Pool
    seal: Seal
    limit: int
    """0: none ever rests, and nothing is counted."""
    rest_s: float
    outdated: Outdated
    """Whether a refused login has been replaced where it is kept: then the refusal does not count."""
    patience_s: float = PATIENCE_S

    @asynccontextmanager
    async def attempt(self, target: Target) -> AsyncIterator[None]:
        """Around a login on `target`, whose end it counts. Raises AuthenticationFailed while the login rests.

        PostgreSQL away: the login is let through.
        """
        if not self.limit:
            yield
            return
        login = self._digest(target)
        probe = await self._begin(target, login)
        try:
            yield
        except AuthenticationFailed:
            if await self.outdated(target):
                raise
            username = getattr(target.connection, "username", None)
            await self._tell(_REFUSED, target.device_key, login, username, self.limit, self.rest_s)
            raise
        except BaseException:  # however it ended, the device said nothing about the login
            if probe is not None:
                await self._tell(_END_PROBE, target.device_key, login, probe)
            raise
        await self._tell(_ACCEPTED, target.device_key, login)

    async def _begin(self, target: Target, login: str) -> datetime | None:
        """What end_probe.sql wants, if this is the one attempt after a rest."""
        found = await self._tell(_BEGIN, target.device_key, login, self.rest_s)
        if not found:
            return None
        [state] = found
        until: datetime | None = state["resting_until"]
        if until is not None:
            raise AuthenticationFailed(
                f"this login on {target.device_key} is resting until {until:%Y-%m-%dT%H:%M:%SZ} after "
                f"{state['failures']} refusals in a row; the device was not contacted"
            )
        probe: datetime | None = state["probe"]
        return probe

    def _digest(self, target: Target) -> str:
        """The login's name in the table: it tells nothing of a password, and counts anew with a new secret key."""
        plain = target.connection.model_dump_json(context={"reveal": True})
        return self.seal.digests(f"login {target.family} {plain}")[0]

    async def _tell(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """What PostgreSQL says; nothing if it does not answer, since no job may fail for its counting."""
        try:
            async with asyncio.timeout(self.patience_s):
                rows: list[asyncpg.Record] = await self.database.fetch(sql, *values)
                return rows
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("circuit.uncounted", error=type(error).__name__)
            return []


async def find_circuits(
    database: AsyncEngine, host: str | None, limit: int, hosts: HostPatterns | None = None
) -> Sequence[Row[Any]]:
    """The refused logins, on `host` or on all these `hosts`, the last refusal first; each with `resting`.

    Not their digests.
    """
    columns = [column for column in circuit.c if column.name != "login"]
    resting = func.coalesce(circuit.c.opened_until > func.now(), False).label("resting")
    wanted: Select[Any] = select(*columns, resting).where(*only(host_in(circuit.c.device_key), hosts)).limit(limit)
    wanted = wanted.order_by(circuit.c.last_failure_at.desc(), circuit.c.device_key)
    if host is not None:
        wanted = wanted.where(is_at(circuit.c.device_key, host))
    async with database.connect() as connection:
        rows: Sequence[Row[Any]] = (await connection.execute(wanted)).all()
    return rows


async def clear_circuits(database: AsyncEngine, host: str) -> int:
    """Forget the refusals of all logins on `host`; returns how many logins that were."""
    async with database.connect() as connection:
        return (await connection.execute(delete(circuit).where(is_at(circuit.c.device_key, host)))).rowcount
