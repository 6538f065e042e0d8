"""The HTTP application."""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from litestar import Litestar, Router
from litestar.config.response_cache import ResponseCacheConfig  # noqa: F401 - referenced by Litestar's annotations
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from app import (
    __version__,
    audit,
    batches,
    bulk,
    circuits,
    confirmations,
    connection_test,
    credentials,
    detached_tasks,
    devices,
    drivers,
    health,
    history,
    host_keys,
    job_events,
    jobs,
    keys,
    library,
    reports,
    schedules,
    sessions,
    stats,
    storage,
    templates,
    webhooks,
    workers,
)
from app.access import AccessLog
from app.auth import Keyring, require_key, require_scopes
from app.bodies import refuse_bad_query
from app.openapi import assets_router, openapi_config
from app.problems import answer_error
from app.services import Services, build_services
from app.trail import AuditTrail
from drivers.registry import warm
from jobs.logs import configure_logs
from jobs.settings import Settings, load_settings
from jobs.startup import process_secrets, require


def create() -> ASGIApp:
    """The application as the environment configures it: uvicorn's factory. Raises SettingsError."""
    settings = load_settings()
    url = require(settings, api_key=True)
    configure_logs(settings.log, process_secrets(settings))
    return create_app(settings, url)


def create_app(settings: Settings, url: str) -> ASGIApp:
    """The application on the database at `url`."""
    services = build_services(settings, url)
    assert settings.server.api_key is not None
    admin_key = settings.server.api_key.get_secret_value()
    keyring = Keyring(admin_key, settings.server.api_key_name, services.known_keys)
    return AccessLog(_litestar(settings, services, keyring))


def _litestar(settings: Settings, services: Services, keyring: Keyring) -> Litestar:
    guarded = Router(
        "/",
        guards=[require_key],
        before_request=refuse_bad_query,
        middleware=[_audit_trail(settings, services)],
        route_handlers=[
            devices.execute,
            connection_test.try_login,
            bulk.execute_bulk,
            jobs.list_jobs,
            jobs.get_job,
            jobs.delete_jobs,
            history.device_history,
            confirmations.confirm_job,
            job_events.job_events,
            batches.get_batch,
            batches.batch_events,
            workers.list_workers,
            workers.delete_workers,
            sessions.list_sessions,
            storage.get_file,
            storage.delete_file,
            detached_tasks.start_task,
            detached_tasks.list_tasks,
            detached_tasks.get_task,
            detached_tasks.get_log,
            detached_tasks.delete_task,
            drivers.list_drivers,
            drivers.get_driver,
            host_keys.list_host_keys,
            host_keys.post_host_key,
            host_keys.delete_host_keys,
            circuits.list_circuits,
            circuits.delete_circuits,
            templates.render_template,
            templates.parse_output,
            library.list_templates,
            library.get_template,
            library.post_template,
            library.put_template,
            library.delete_template,
            credentials.test_provider,
            credentials.create_credential,
            credentials.read_credential,
            credentials.delete_credential,
            credentials.list_credentials,
            credentials.describe_credential,
            credentials.read_credentials,
            audit.list_audit_events,
            keys.list_keys,
            keys.post_key,
            keys.get_key,
            keys.delete_key,
            keys.rotate_key,
            schedules.list_schedules,
            schedules.post_schedule,
            schedules.get_schedule,
            schedules.patch_schedule,
            schedules.delete_schedule,
            schedules.run_schedule,
            reports.list_reports,
            reports.get_report,
            webhooks.list_deliveries,
            webhooks.redeliver_one,
            stats.system_stats,
            health.health,
        ],
    )
    public = Router("/", route_handlers=[health.live, health.ready])
    app = Litestar(
        [guarded, public, assets_router()],
        dependencies={"services": Provide(lambda: services, sync_to_thread=False)},
        exception_handlers={HTTPException: answer_error, Exception: answer_error},
        lifespan=[partial(_lifespan, services)],
        logging_config=None,
        openapi_config=openapi_config(__version__, keyring.parameter, services.models, services.probes),
        request_max_body_size=settings.server.max_body_bytes,
        state=State({"keyring": keyring, "services": services}),
    )
    require_scopes(app)
    return app


def _audit_trail(settings: Settings, services: Services) -> Callable[[ASGIApp], ASGIApp]:
    """A function, since Litestar copies a router with all that is in it, and services cannot be copied."""

    def around(app: ASGIApp) -> ASGIApp:
        return AuditTrail(app, services.database, services.refusals, reads=settings.server.audit_reads)

    return around


@asynccontextmanager
async def _lifespan(services: Services, _app: Litestar) -> AsyncIterator[None]:
    services.waiters.start()
    services.refusals.start()
    threading.Thread(target=warm, args=(services.drivers,), daemon=True).start()
    _before_signals(services.waiters.dismiss)
    try:
        yield
    finally:
        await services.waiters.stop()
        await services.known_keys.close()
        await services.refusals.stop()
        await services.templates.close()
        for provider in services.credentials.values():
            await provider.close()
        await services.database.dispose()


def _before_signals(action: Callable[[], None]) -> None:
    """Call `action` at SIGTERM and SIGINT, before uvicorn does its part and waits for the clients that wait for us."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def handle(number: int, frame: object, before: object = before) -> None:
            action()
            if callable(before):
                before(number, frame)

        signal.signal(number, handle)
