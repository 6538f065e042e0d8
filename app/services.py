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

from app.known_keys import KnownKeys
from app.limits import Limits
from app.progress import ProgressFeeds
from app.refusals import Refusals
from app.waiters import Waiters
from drivers.base import Driver
from drivers.registry import load_drivers
from jobs.candidates import Candidates
from jobs.credentials.base import Provider
from jobs.credentials.local import LocalStore, engine_fetch
from jobs.credentials.providers import default_provider, load_providers
from jobs.keys import Keys
from jobs.library import Library
from jobs.placement import load_policy
from jobs.probes import ProbeModels
from jobs.requests import RequestModels
from jobs.schedules import Schedules
from jobs.seal import Seal
from jobs.settings import Settings
from jobs.storage import Storage
from jobs.submit import Intake
from jobs.template_runner import TemplateRunner

POOL_WAIT_S = 5.0

BULK_PARTS = 2
"""Parts of bulks in the making at one time: each is a few megabytes, and a thousand locks."""

REPORT_STREAMS = 2
"""Reports that are streamed at one time: each holds a connection to PostgreSQL."""


@dataclass(frozen=True)
class Services:
    """The API's collaborators."""

    database: AsyncEngine
    keys: Keys
    known_keys: KnownKeys
    intake: Intake
    models: RequestModels
    probes: ProbeModels
    drivers: Mapping[str, Driver]
    waiters: Waiters
    progress: ProgressFeeds
    bulk_slots: asyncio.Semaphore
    report_slots: asyncio.Semaphore
    storage: Storage
    library: Library
    schedules: Schedules
    templates: TemplateRunner
    credentials: Mapping[str, Provider]
    default_provider: str
    limits: Limits
    refusals: Refusals


Needed: TypeAlias = NamedDependency[Services]
"""What a handler that needs them declares its `services` to be."""


def build_services(settings: Settings, url: str) -> Services:
    """Build everything; connects to nothing yet. Raises ValueError for a bad secret key, SettingsError."""
    drivers = load_drivers()
    models = RequestModels(drivers)
    database = database_engine(url, settings.server.database_connections)
    seal = Seal([key.get_secret_value() for key in settings.secret_keys])
    candidates = Candidates(database, load_policy(settings.server.placement))
    waiters = Waiters(url, database)
    library = Library(database)
    providers = load_providers(settings, LocalStore(engine_fetch(database), seal))
    keys = Keys(database)
    return Services(
        database=database,
        keys=keys,
        known_keys=KnownKeys(keys),
        intake=Intake(
            database,
            seal,
            candidates,
            settings.worker.zone,
            host_keys=settings.worker.host_keys,
            queued_jobs=settings.server.queued_jobs,
        ),
        models=models,
        probes=ProbeModels(models, drivers),
        drivers=drivers,
        waiters=waiters,
        progress=ProgressFeeds(database, waiters),
        bulk_slots=asyncio.Semaphore(BULK_PARTS),
        report_slots=asyncio.Semaphore(REPORT_STREAMS),
        storage=Storage(database, seal, settings.storage.max_bytes),
        library=library,
        schedules=Schedules(database),
        templates=TemplateRunner.of(library.text, settings.templates),
        credentials=providers,
        default_provider=default_provider(settings, providers),
        limits=Limits(database, settings.server.requests_per_minute),
        refusals=Refusals(database),
    )


def database_engine(url: str, connections: int) -> AsyncEngine:
    """Each statement commits by itself: what belongs together is one SQL function.

    asyncpg reads the URL, as it does for the workers: SQLAlchemy does not know libpq's parameters, nor several hosts.
    """
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=partial(asyncpg.connect, url, timeout=POOL_WAIT_S, command_timeout=30),
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # in the texts of errors
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,  # after a restart of PostgreSQL, a submission must not fail on a connection that was closed
    )
