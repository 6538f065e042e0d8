"""A worker's turn at delivering: what is due, as much at one time as it may."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Self

import structlog
from sqlalchemy.exc import SQLAlchemyError

from jobs.database import LOST, listen
from jobs.logs import trace_of
from jobs.seal import Seal
from jobs.settings import WebhookSettings
from jobs.template_runner import TemplateRunner
from jobs.webhooks.courier import Courier
from jobs.webhooks.outbox import CHANNEL, LEASE_S, Claim, Outbox, Verdict, outbox_engine
from jobs.webhooks.plugins import load_plugins
from jobs.webhooks.sender import Sender

log = structlog.get_logger()

LOOK_S = 5.0
"""It looks at least this often, should a notice get lost; and while receivers rest."""

AWAY_S = 2.0
"""While PostgreSQL is away, it is asked again so often."""

FORGET_S = 600.0

STOPPED = Verdict("The worker that sent it was stopped.", retry_in_s=0)

_TROUBLE = (SQLAlchemyError, *LOST)


class Deliverer:
    """Delivers until it is cancelled; then gives back what it has not finished."""

    def __init__(self, outbox: Outbox, courier: Courier, concurrency: int) -> None:
        """`concurrency`: deliveries under way at one time; of these at most half to receivers that fail."""
        self._outbox = outbox
        self._courier = courier
        self._concurrency = concurrency
        self._running: dict[asyncio.Task[None], Claim] = {}
        self._begun: list[Claim] = []
        """At the end: what is to be given back, unless it has ended after all."""
        self._wake = asyncio.Event()
        self._forget_at = 0.0

    @classmethod
    def of(cls, outbox: Outbox, seal: Seal, templates: TemplateRunner, settings: WebhookSettings) -> Self:
        """What delivers at a site."""
        sender = Sender(settings.allowed_urls)
        courier = Courier(outbox, seal, templates, sender, load_plugins(), settings.max_bytes)
        return cls(outbox, courier, settings.concurrency)

    async def run(self, url: str) -> None:
        """Deliver what comes due in the database at `url`."""
        listening = asyncio.create_task(listen(url, {CHANNEL: lambda _: self._wake.set()}, self._wake.set))
        try:
            while True:
                self._wake.clear()  # before looking: a notice that comes meanwhile must not be lost
                pause_s = await self._turn()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):  # wait_for may swallow a cancellation (Python 3.11)
                        await self._wake.wait()
        finally:
            listening.cancel()
            await asyncio.gather(listening, *self._cancelled(), return_exceptions=True)
            until = time.monotonic() + AWAY_S
            await asyncio.gather(*(self._keep(claim, STOPPED, time.monotonic(), until) for claim in self._begun))

    async def _turn(self) -> float:
        """Take up what is due; seconds until there may be more."""
        try:
            await self._forget()
            await self._take()
            return max(0.05, min(LOOK_S, await self._outbox.next_in_s() or LOOK_S))
        except _TROUBLE as error:  # whatever is wrong with deliveries, the worker's jobs go on
            log.warning("webhooks.database_failed", error=type(error).__name__)
            return AWAY_S

    async def _take(self) -> None:
        free = self._concurrency - len(self._running)
        failing = (self._concurrency + 1) // 2 - sum(claim.failing for claim in self._running.values())
        if free <= 0:
            return
        for claim in await self._claimed(free, max(0, failing)):
            task = asyncio.create_task(self._deliver(claim))
            self._running[task] = claim
            task.add_done_callback(self._ended)

    async def _claimed(self, most: int, failing: int) -> list[Claim]:
        claiming = asyncio.ensure_future(self._outbox.claim(most, failing))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:  # what is claimed must be known, so that it can be given back
            self._begun += await claiming
            raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()

    async def _forget(self) -> None:
        if time.monotonic() >= self._forget_at:
            await self._outbox.forget()
            self._forget_at = time.monotonic() + FORGET_S

    async def _deliver(self, claim: Claim) -> None:
        """One attempt, and what came of it on record."""
        began = time.monotonic()
        try:
            verdict = await self._courier.attempt(claim)
        except _TROUBLE as error:
            log.warning("webhooks.database_failed", error=type(error).__name__)
            verdict = Verdict("PostgreSQL was away while the payload was made.", retry_in_s=AWAY_S)
        except Exception as error:  # noqa: BLE001 - one delivery's bug must not end the process that runs jobs
            log.error("webhook.failed", delivery=str(claim.id), trace=trace_of(error))
            verdict = Verdict("A bug kept it from being sent; the worker's log says where.")
        await self._keep(claim, verdict, began, until=began + LEASE_S)

    async def _keep(self, claim: Claim, verdict: Verdict, began: float, until: float) -> None:
        """Try until PostgreSQL takes it. `until`: monotonic time; after the lease, somebody delivers it once more."""
        duration_s = time.monotonic() - began
        while time.monotonic() < until:
            try:
                kept = await self._outbox.end(claim, verdict, duration_s)
            except _TROUBLE:
                await asyncio.sleep(AWAY_S)
                continue
            self._note(claim, verdict, kept=kept)
            return

    def _note(self, claim: Claim, verdict: Verdict, *, kept: bool) -> None:
        about = {"delivery": str(claim.id), "job": str(claim.job_id), "receiver": claim.receiver}
        log.debug("webhook.attempted", **about, attempt=claim.attempt, status=verdict.status, kept=kept)
        if kept and verdict.error is not None and verdict.retry_in_s is None:
            log.warning("webhook.given_up", **about, attempts=claim.attempt, reason=verdict.error)

    def _cancelled(self) -> list[asyncio.Task[None]]:
        running = list(self._running)
        self._begun += self._running.values()
        for task in running:
            task.cancel()
        return running


async def deliver_webhooks(
    settings: WebhookSettings, url: str, seal: Seal, templates: TemplateRunner, worker: str
) -> None:
    """A worker's duty, until it is cancelled; `worker`: its name."""
    if settings.concurrency == 0:
        await asyncio.Event().wait()
    database = outbox_engine(url)
    try:
        await Deliverer.of(Outbox(database, settings, worker), seal, templates, settings).run(url)
    finally:
        await database.dispose()
