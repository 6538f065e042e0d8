"""Jobs with webhooks, and workers' deliverers, on the test's own database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from jobs.seal import Seal, new_key
from jobs.settings import TemplateSettings, WebhookSettings
from jobs.template_runner import TemplateRunner
from jobs.webhooks.deliverer import deliver_webhooks
from jobs.webhooks.options import Webhook
from tests.integration.jobs.conftest import Site, new_job
from tests.integration.jobs.webhooks.receiver import Receiver, receiving
from tests.waiting import until_async

OLD_KEY = new_key()
SEAL = Seal([OLD_KEY])


async def _nothing(_kind: str, _name: str, _version: int | None) -> str | None:
    return None


def webhook_request(url: str, **options: Any) -> dict[str, Any]:
    """A job's `request` with a webhook, as the API makes it."""
    webhook = Webhook.model_validate({"url": url, **options})
    public = webhook.model_dump(mode="json", exclude_unset=True)
    return {
        "command": ["show version"],
        "options": {"webhook": public},
        "sealed_webhook": SEAL.seal(webhook.revealed()),
    }


class Hooks:
    """What tests ask of deliveries."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._worker = 0

    async def submit(self, url: str, *, device: str = "r1", **options: Any) -> UUID:
        """A job that waits."""
        return await self.site.submit_one(device, request=webhook_request(url, **options), strategy="fifo")

    async def end(self, *jobs: UUID, **fields: Any) -> None:
        """End jobs as a worker does."""
        if not self._worker:
            self._worker = await self.site.worker()
        await self.site.claim(self._worker, 10_000)
        assert set(await self.site.finish(self._worker, *jobs, **fields)) == set(jobs)

    async def ended(self, url: str, **options: Any) -> UUID:
        """A job that has ended."""
        job = await self.submit(url, **options)
        await self.end(job)
        return job

    async def due(self, url: str, count: int, **options: Any) -> None:
        """So many deliveries, each of a job of its own."""
        request = webhook_request(url, **options)
        jobs = [new_job(f"r{number}", request=request, strategy="fifo") for number in range(count)]
        ids = [row["id"] for row in await self.site.submit(*jobs)]
        await self.end(*ids)

    async def delivery(self, job: UUID) -> asyncpg.Record:
        """The only delivery of a job."""
        sql = "SELECT * FROM netpulse.webhook_delivery WHERE job_id = $1"
        [row] = await self.site.connection.fetch(sql, job)
        return row

    async def attempts(self, job: UUID) -> list[asyncpg.Record]:
        sql = (
            "SELECT a.* FROM netpulse.webhook_attempt a JOIN netpulse.webhook_delivery d ON d.id = a.delivery_id "
            "WHERE d.job_id = $1 ORDER BY number"
        )
        return list(await self.site.connection.fetch(sql, job))

    async def states(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        rows = await self.site.connection.fetch("SELECT state, count(*) FROM netpulse.webhook_delivery GROUP BY 1")
        return {row["state"]: row["count"] for row in rows}

    async def until_state(self, job: UUID, state: str, attempts: int = 1) -> asyncpg.Record:
        """The job's delivery, once it is in `state` after so many attempts."""

        async def look() -> asyncpg.Record | None:
            row = await self.delivery(job)
            return row if (row["state"], row["attempts"]) == (state, attempts) else None

        return await until_async(look, f"the delivery is {state} after {attempts} attempts")

    async def until_states(self, **counts: int) -> None:
        async def look() -> bool:
            return await self.states() == counts

        await until_async(look, f"the deliveries are {counts}")

    async def let_time_pass(self) -> None:
        """As if the pauses of all that waits, and the rests of all receivers, were over."""
        past = "now() - interval '1 second'"
        for due in (
            f"webhook_receiver SET rest_until = {past}",
            f"webhook_delivery SET next_at = {past} WHERE state = 'due'",
        ):
            await self.site.connection.execute(f"UPDATE netpulse.{due}")
        await self.site.connection.execute("NOTIFY netpulse_webhook")


Start = Callable[..., Any]


@pytest.fixture
def hooks(site: Site) -> Hooks:
    return Hooks(site)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """One that takes everything."""
    async with receiving() as one:
        yield one


@pytest.fixture
async def deliver(database: str) -> AsyncIterator[Start]:
    """Starts a worker's deliverer with these settings, and `seal` for another seal than the jobs' own."""
    async with AsyncExitStack() as running:

        async def start(name: str = "node:1", **settings: Any) -> asyncio.Task[None]:
            return await running.enter_async_context(delivering(database, name, **settings))

        yield start


@asynccontextmanager
async def delivering(url: str, name: str, **settings: Any) -> AsyncIterator[asyncio.Task[None]]:
    """A deliverer as a task, until the end of the block."""
    seal = settings.pop("seal", SEAL)
    own = WebhookSettings(**settings)
    templates = TemplateRunner.of(_nothing, TemplateSettings(children=1))
    task = asyncio.create_task(deliver_webhooks(own, url, seal, templates, name))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await templates.close()
