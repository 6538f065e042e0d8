"""`/health`: is it up, and can it work?"""

from __future__ import annotations

import asyncio

from litestar import get
from sqlalchemy import text

from app import migrations
from app.envelope import Envelope, Problem
from app.failures import failures
from app.services import Services

READY_WITHIN_S = 2.0


@get("/health", summary="Is the service up, for clients with a key?", responses=failures(403, 500))
async def health() -> Envelope[str]:
    """Always `ok`."""
    return Envelope("ok")


@get("/health/live", security=[], summary="Is this process alive?", responses=failures(500))
async def live() -> Envelope[str]:
    """Needs no key, asks nobody."""
    return Envelope("ok")


@get("/health/ready", security=[], summary="Can this process serve requests?", responses=failures(500, 503))
async def ready(services: Services) -> Envelope[str]:
    """Needs no key. 503 unless PostgreSQL answers within two seconds and is migrated to this version."""
    async with asyncio.timeout(READY_WITHIN_S):
        async with services.database.connect() as connection:
            revision = (await connection.execute(text("SELECT version_num FROM netpulse.alembic_version"))).scalar()
    if revision != migrations.head():
        raise Problem(503, "The database is not migrated to this version: run netpulse migrate.")
    return Envelope("ok")
