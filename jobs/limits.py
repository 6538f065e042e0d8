"""How many jobs a key may have waiting."""

from __future__ import annotations

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.principal import Principal
from jobs.tables import job


class TooManyQueued(Exception):
    """The key has as many jobs waiting as it may. The message is for the client."""


async def require_room(database: AsyncEngine, principal: Principal, limit: int, wanted: int) -> None:
    """Raises TooManyQueued unless `principal` may have `wanted` more jobs waiting.

    `limit`: that of keys without one of their own; 0: none, then nothing is asked. It is no lock: submissions at the
    same moment may together exceed it by what all but one of them bring.
    """
    most = limit if principal.queued_jobs is None else principal.queued_jobs
    if not most:
        return
    if wanted > most:
        raise TooManyQueued(f"the key {principal.name!r} may have {most} jobs waiting, which is less than {wanted}")
    if await _waiting(database, principal.name, most + 1) + wanted > most:
        raise TooManyQueued(f"the key {principal.name!r} may have {most} jobs waiting; try again when some have ended")


async def _waiting(database: AsyncEngine, name: str, most: int) -> int:
    """How many jobs of the key wait; counts no further than `most`, through job_queued_by_idx."""
    waiting = select(literal(1)).where(job.c.submitted_by == name, job.c.state == "queued").limit(most)
    async with database.connect() as connection:
        return (await connection.execute(select(func.count()).select_from(waiting.subquery()))).scalar_one()
