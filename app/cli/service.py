"""The processes of a NetPulse site."""

from __future__ import annotations

import structlog
import uvicorn
import uvloop

from app import migrations
from jobs.logs import configure_logs
from jobs.settings import load_settings
from jobs.startup import process_secrets, require
from jobs.worker import run_worker

log = structlog.get_logger()

SHUTDOWN_S = 5
"""Requests that still run at SIGTERM get so long; clients that wait for a job are answered at once."""


def serve_api() -> None:
    """Serve until SIGTERM or SIGINT. Raises SettingsError before anything is started."""
    settings = load_settings()
    require(settings, api_key=True)
    uvicorn.run(
        "app.main:create",
        factory=True,
        host=settings.server.host,
        port=settings.server.port,
        workers=settings.server.processes,
        loop="uvloop",
        log_config=None,
        access_log=False,  # it would log queries, and keys in them
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


def serve_worker() -> None:
    """Run jobs until SIGTERM or SIGINT. Raises SettingsError before anything is started."""
    settings = load_settings()
    url = require(settings)
    configure_logs(settings.log, process_secrets(settings))
    uvloop.run(run_worker(settings, url))


def migrate_database() -> None:
    """Upgrade the database to the revision that this code is written for."""
    settings = load_settings()
    url = require(settings, keys=False)
    configure_logs(settings.log, process_secrets(settings))
    migrations.upgrade(url)
    log.info("migrated", revision=migrations.head())
