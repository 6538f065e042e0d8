"""What the handlers need, built once per API process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import asyncpg
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from app.progress import ProgressFeeds
from app.waiters import Waiters
from drivers.base import Driver
from drivers.registry import load_drivers
from jobs.candidates import Candidates
from jobs.library import Library
from jobs.placement import load_policy
from jobs.probes import ProbeModels
from jobs.requests import RequestModels
from jobs.seal import Seal
from jobs.settings import Settings
from jobs.storage import Storage
from jobs.submit import Intake
from jobs.template_runner import TemplateRunner

POOL_WAIT_S = 5.0

BULK_PARTS = 2
"""Parts of bulks in the making at one time: each is a few megabytes, and a thousand locks."""


@dataclass(frozen=True)
class Services:
    """The API's collaborators."""

    database: AsyncEngine
    intake: Intake
    models: RequestModels
    probes: ProbeModels
    drivers: Mapping[str, Driver]
    waiters: Waiters
    progress: ProgressFeeds
    bulk_slots: asyncio.Semaphore
    storage: Storage
    library: Library
    templates: TemplateRunner


Needed: TypeAlias = NamedDependency[Services]
"""What a handler that needs them declares its `services` to be."""


def build_services(settings: Settings, url: str) -> Services:
    """Build everything; connects to nothing yet. Raises ValueError for a bad secret key."""
    drivers = load_drivers()
    models = RequestModels(drivers)
    database = database_engine(url, settings.server.database_connections)
    seal = Seal([key.get_secret_value() for key in settings.secret_keys])
    candidates = Candidates(database, load_policy(settings.server.placement))
    waiters = Waiters(url, database)
    library = Library(database)
    return Services(
        database=database,
        intake=Intake(database, seal, candidates, settings.worker.zone),
        models=models,
        probes=ProbeModels(models, drivers),
        drivers=drivers,
        waiters=waiters,
        progress=ProgressFeeds(database, waiters),
        bulk_slots=asyncio.Semaphore(BULK_PARTS),
        storage=Storage(database, seal, settings.storage.max_bytes),
        library=library,
        templates=TemplateRunner.of(library.text, settings.templates),
    )


def database_engine(url: str, connections: int) -> AsyncEngine:
    """Each statement commits by itself: what belongs together is one SQL function.

    asyncpg reads the URL, as it does for the workers: SQLAlchemy does not know libpq's parameters, nor several hosts.
    """
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(asyncpg.connect, url, timeout=POOL_WAIT_S, command_timeout=30),
        isolation_level="AUTOCOMMIT",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,  # after a restart of PostgreSQL, a submission must not fail on a connection that was closed
    )
