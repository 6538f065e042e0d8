"""A worker process: one incarnation, from its registration to its leave."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, NoReturn

import asyncpg
import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.worker import Worker

from drivers.pool import PoolLimits, SessionPool
from drivers.registry import load_drivers, warm
from jobs.chores import do_chores
from jobs.credentials.local import LocalStore
from jobs.credentials.providers import default_provider, load_providers
from jobs.credentials.resolver import Resolver
from jobs.database import LOST, Pool, create_pool, is_transient
from jobs.fence import Fence
from jobs.firing import Firing
from jobs.gate import LoginGate
from jobs.heartbeat import Heart, Vitals
from jobs.holdings import Holdings
from jobs.library import stored_text
from jobs.logins import Logins
from jobs.pinning import PinnedJobManager
from jobs.queue import JobQueue, WorkerDead
from jobs.retention import keep_retention
from jobs.run import run_job
from jobs.seal import Seal
from jobs.settings import Settings, WorkerSettings
from jobs.template_runner import TemplateRunner
from jobs.webhooks.deliverer import deliver_webhooks
from jobs.words import Words, job_ids
from jobs.world import World

log = structlog.get_logger()

FENCED = 3
"""Exit status of a worker that lost touch with PostgreSQL: start it again."""

THREAD_STACK_BYTES = 512 * 1024
"""Each session has a thread; the usual 8 MB are only address space, but 1,000 of them meet containers' limits."""


async def run_worker(settings: Settings, url: str, *, ready: Callable[[int], None] = lambda _id: None) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs and hand the devices over. `ready` hears the worker's id.

    A worker that is fenced off ends the process at once with status FENCED: running calls must not reach a device.
    """
    threading.stack_size(THREAD_STACK_BYTES)
    database = await _open_database(url)
    try:
        worker_id = await _register(database, settings.worker)
        await Incarnation(settings, url, database, worker_id).serve(ready)
    finally:
        await asyncio.wait_for(database.close(), 10)


class Incarnation:
    """One worker id and everything that runs under it."""

    def __init__(self, settings: Settings, url: str, database: Pool, worker_id: int) -> None:
        own = settings.worker
        drivers = load_drivers(own.key_folder_paths)
        self._settings = own
        self._tasks = settings.tasks
        self._webhooks = settings.webhooks
        self._retention = settings.retention
        self._url = url
        self._database = database
        self._id = worker_id
        self._draining: asyncio.Task[None] | None = None
        self._fence = Fence(own.fence_s)
        limits = PoolLimits(own.capacity, own.concurrency, own.logins, own.ping_after_s, own.ping_timeout_s)
        let_go: set[str] = set()
        seal = Seal([key.get_secret_value() for key in settings.secret_keys])
        providers = load_providers(settings, LocalStore(database.fetch, seal))
        self._resolver = Resolver(providers, default_provider(settings, providers), settings.credentials.cache_s)
        logins = Logins(self._resolver)
        gate = LoginGate(database, seal, own, logins.is_outdated)
        self._sessions = SessionPool(drivers, limits, on_let_go=let_go.add, gate=gate)
        self._holdings = Holdings(database, worker_id, self._sessions, let_go)
        queue = JobQueue(database, worker_id)
        templates = TemplateRunner.of(partial(stored_text, database), settings.templates)
        self._world = World(
            drivers, self._sessions, seal, queue, self._fence.check, settings.storage, logins, templates
        )
        self._manager, self._worker = self._procrastinate(queue)
        orders = {
            "cancel": self._cancel,
            "release": self._holdings.release,
            "drain": lambda _: self._stop(),
            "dead": lambda _: self._end("stopped by force"),
        }
        self._words = Words(queue, wake=self._manager.wake, orders=orders)

    def _procrastinate(self, queue: JobQueue) -> tuple[PinnedJobManager, Worker]:
        # The connector is never opened: everything that the Worker asks of PostgreSQL goes through our manager.
        app = App(connector=PsycopgConnector())
        own = self._settings
        manager = PinnedJobManager(
            app.connector,
            queue,
            poll_s=own.poll_s,
            concurrency=own.concurrency,
            on_dead=self._fence.close,
        )
        app.job_manager = manager

        @app.task(name="run", pass_context=True)
        async def run(context: JobContext) -> None:
            assert context.job.id is not None
            manager.conclude(context.job.id, await run_job(self._world, manager.claimed(context.job.id)))

        worker = Worker(
            app,
            queues=[f"w:{self._id}", f"fifo:{own.zone}"],
            concurrency=own.concurrency,
            shutdown_graceful_timeout=own.drain_s,
            install_signal_handlers=False,
            listen_notify=False,
        )
        return manager, worker

    async def serve(self, ready: Callable[[int], None]) -> None:
        """Run until a signal, then leave."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        side = [asyncio.create_task(duty) for duty in self._duties()]
        for task in side:
            task.add_done_callback(self._side_ended)
        ready(self._id)
        threading.Thread(target=warm, args=(self._world.drivers,), daemon=True).start()
        log.info("worker.ready", worker=self._id, zone=self._settings.zone)
        await self._worker.run()  # type: ignore[no-untyped-call]
        for task in side:
            task.remove_done_callback(self._side_ended)
            task.cancel()
        await asyncio.gather(*side, return_exceptions=True)
        await self._sessions.close()
        await self._world.templates.close()
        await self._resolver.close()
        await self._leave()

    def _duties(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What goes on beside the jobs, until the last one has ended."""
        own = self._settings
        yield Heart(self._id, self._fence, self._vitals, own.beat_s, self._stop).beat(self._url)
        yield do_chores(self._url, own.beat_s, own.dead_s, self._tasks)
        yield Firing(self._database).keep()
        yield self._watch_fence()
        yield self._holdings.keep(own.beat_s)
        yield self._words.hear(self._url, own.zone)
        yield self._words.look_after_cancels()
        name = f"{socket.gethostname()}:{os.getpid()}"
        yield deliver_webhooks(self._webhooks, self._url, self._world.seal, self._world.templates, name)
        yield keep_retention(self._url, self._retention, name)

    def _stop(self) -> None:
        """Finish what runs, and leave."""
        if self._draining is not None:
            return
        log.info("worker.draining", worker=self._id, running=self._manager.busy)
        self._manager.stop()
        self._worker.stop()  # type: ignore[no-untyped-call]
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        """Take no new devices, and hand over those that nothing runs on. What fails here, `_leave` makes good."""
        try:
            await self._manager.give_back()
            await self._database.fetchval("SELECT netpulse.drain_worker($1)", self._id, timeout=10)
        except (*LOST, WorkerDead, asyncpg.PostgresError) as error:
            log.warning("worker.drain_failed", error=type(error).__name__)

    def _cancel(self, subjects: list[str]) -> None:
        for job_id in job_ids(subjects):
            self._world.stop(job_id)

    def _vitals(self) -> Vitals:
        manager = self._manager
        return Vitals(manager.busy, self._sessions.held, manager.successful, manager.failed)

    async def _watch_fence(self) -> None:
        """End the process as soon as the fence is closed."""
        while self._fence.is_open:  # noqa: ASYNC110 - time closes it, nobody sets an event
            await asyncio.sleep(0.2)
        raise WorkerDead("no confirmed heartbeat in time, or declared dead")

    def _side_ended(self, task: asyncio.Task[None]) -> None:
        """A side task never ends by itself, so this incarnation cannot go on. The reaper judges what it leaves."""
        error = task.exception() if not task.cancelled() else None
        self._end(f"{type(error).__name__}: {error}")

    def _end(self, reason: str) -> NoReturn:
        """End the process at once: what its threads still do must not reach a device."""
        log.error("worker.fenced", worker=self._id, reason=reason)
        os._exit(FENCED)

    async def _leave(self) -> None:
        """Hand the devices and the interrupted jobs over. If PostgreSQL is away, the reaper does it later."""
        try:
            handed_over = await self._database.fetchval("SELECT netpulse.reap_worker($1)", self._id, timeout=10)
            log.info("worker.left", worker=self._id, **(handed_over or {}))
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("worker.leave_failed", error=type(error).__name__)


async def _register(database: Pool, settings: WorkerSettings) -> int:
    sql = "SELECT netpulse.register_worker($1, $2, $3, $4)"
    node = socket.gethostname()
    return int(await database.fetchval(sql, node, os.getpid(), settings.zone, settings.capacity))


async def _open_database(url: str) -> Pool:
    """Connections for claiming and finishing; waits for PostgreSQL, which may be starting too."""
    while True:
        try:
            return await create_pool(url, size=8)
        except (*LOST, asyncpg.PostgresError) as error:
            if not is_transient(error):
                raise
            log.warning("postgres.away", error=type(error).__name__)
            await asyncio.sleep(1)
