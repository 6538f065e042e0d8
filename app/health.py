"""`/health`: is it up, and can it work?"""

from __future__ import annotations

import asyncio
from functools import cache

from litestar import get
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app import migrations
from app.auth import ANY_SCOPE
from app.envelope import Envelope, Problem
from app.failures import failures
from app.problems import RETRY_AFTER_S
from app.services import Needed

READY_WITHIN_S = 2.0


@get(
    "/health",
    summary="Is the service up, for clients with a key?",
    scope=ANY_SCOPE,
    responses=failures(400, 403, 500, 503),
)
async def health() -> Envelope[str]:
    """Always `ok`."""
    return Envelope("ok")


@get("/health/live", security=[], summary="Is this process alive?", responses=failures(500))
async def live() -> Envelope[str]:
    """Needs no key, asks nobody."""
    return Envelope("ok")


@get("/health/ready", security=[], summary="Can this process serve requests?", responses=failures(500, 503))
async def ready(services: Needed) -> Envelope[str]:
    """Needs no key. 503 unless PostgreSQL answers within two seconds and is migrated to this version."""
    async with asyncio.timeout(READY_WITHIN_S):
        async with services.database.connect() as connection:
            is_migrated = await _is_migrated(connection)
    if not is_migrated:
        headers = {"Retry-After": str(RETRY_AFTER_S)}
        raise Problem(503, "The database is not migrated to this version: run netpulse migrate.", headers=headers)
    return Envelope("ok")


async def _is_migrated(connection: AsyncConnection) -> bool:
    if (await connection.execute(text("SELECT to_regclass('netpulse.alembic_version')"))).scalar() is None:
        return False
    revision = (await connection.execute(text("SELECT version_num FROM netpulse.alembic_version"))).scalar()
    return bool(revision == _head())


@cache
def _head() -> str | None:
    return migrations.head()  # reads every revision's file
