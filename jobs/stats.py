"""How the site is doing."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncEngine

_STATS = select(func.netpulse.site_stats(type_=JSONB))


async def site_stats(database: AsyncEngine) -> dict[str, Any]:
    """What netpulse.site_stats says; answers in milliseconds, however long the history is."""
    async with database.connect() as connection:
        found: dict[str, Any] = (await connection.execute(_STATS)).scalar_one()
    return found
