"""What the handlers need, built once per API process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from litestar.di import NamedDependency
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.waiters import Waiters
from drivers.base import Driver
from drivers.registry import load_drivers
from jobs.requests import RequestModels
from jobs.seal import Seal
from jobs.settings import Settings

POOL_WAIT_S = 5.0


@dataclass(frozen=True)
class Services:
    """The API's collaborators."""

    database: AsyncEngine
    seal: Seal
    models: RequestModels
    drivers: Mapping[str, Driver]
    waiters: Waiters
    zone: str


Needed: TypeAlias = NamedDependency[Services]
"""What a handler that needs them declares its `services` to be."""


def build_services(settings: Settings, url: str) -> Services:
    """Build everything; connects to nothing yet. Raises ValueError for a bad secret key."""
    drivers = load_drivers()
    return Services(
        database=_engine(url, settings.server.database_connections),
        seal=Seal([key.get_secret_value() for key in settings.secret_keys]),
        models=RequestModels(drivers),
        drivers=drivers,
        waiters=Waiters(url),
        zone=settings.worker.zone,
    )


def _engine(url: str, connections: int) -> AsyncEngine:
    """Each statement commits by itself: what belongs together is one SQL function."""
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        isolation_level="AUTOCOMMIT",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,  # after a restart of PostgreSQL, a submission must not fail on a connection that was closed
        connect_args={"timeout": POOL_WAIT_S, "command_timeout": 30},
    )
