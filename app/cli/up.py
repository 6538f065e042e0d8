"""`netpulse up`: a whole site in the foreground."""

from __future__ import annotations

import sys

import structlog

from app.cli.site import site
from app.supervisor import Service
from jobs.logs import configure_logs
from jobs.settings import load_settings
from jobs.startup import process_secrets, require

log = structlog.get_logger()


def run_up() -> None:
    """Run until SIGTERM or Ctrl-C. Raises SettingsError, PostgresError, StartFailed."""
    settings = load_settings()
    if settings.database_url is not None:
        require(settings, api_key=True)
    configure_logs(settings.log, process_secrets(settings))
    with site(settings, sys.stderr.buffer, _ended) as running:
        log.info("up", url=running.url, docs=f"{running.url}/docs")
        running.supervisor.watch()


def _ended(service: Service) -> None:
    status = service.process.returncode if service.process else None
    log.warning("service.ended", service=service.command, status=status)
