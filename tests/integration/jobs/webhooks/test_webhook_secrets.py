"""The sealed parts of webhooks: sealed again with a new key, told as lost without one, gone with their job."""

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from jobs.rotation import rotate
from jobs.seal import Seal, new_key
from jobs.webhook_tables import webhook_delivery, webhook_secret
from jobs.webhooks.options import Webhook
from tests.integration.jobs.webhooks.conftest import OLD_KEY, Hooks, Start
from tests.integration.jobs.webhooks.receiver import Receiver

pytestmark = pytest.mark.anyio


async def test_a_rotation_reaches_them(database: str, hooks: Hooks, receiver: Receiver) -> None:
    await hooks.ended(receiver.url)
    await hooks.submit(receiver.url, device="r2")
    key = new_key()
    engine = create_async_engine(database.replace("postgresql:", "postgresql+asyncpg:"), isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        # The jobs' own sealed part is none in these tests, so that of the waiting one counts as broken.
        counts = {kind.column.table: count for kind, count in (await rotate(connection, Seal([key, OLD_KEY]))).items()}
    await engine.dispose()
    for table in (webhook_secret, webhook_delivery):
        assert (counts[table].resealed, counts[table].broken) == (1, 0)
        [row] = await hooks.site.connection.fetch(f"SELECT sealed FROM {table.fullname}")  # noqa: S608 - ours
        assert Webhook.model_validate_json(Seal([key]).open(row["sealed"])).url.get_secret_value() == receiver.url


async def test_without_its_key_it_is_given_up_and_says_why(hooks: Hooks, deliver: Start, receiver: Receiver) -> None:
    await deliver(private_urls=f"127.0.0.1:{receiver.port}", seal=Seal([new_key()]))
    job = await hooks.ended(receiver.url)
    await hooks.until_state(job, "failed")
    assert "NETPULSE_SECRET_KEYS" in (await hooks.attempts(job))[0]["error"]


async def test_they_go_with_their_job(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.ended(receiver.url)
    await hooks.submit(receiver.url, device="r2")
    await hooks.site.connection.execute("DELETE FROM netpulse.job")
    for table in ("webhook_secret", "webhook_delivery", "webhook_attempt"):
        assert await hooks.site.connection.fetch(f"SELECT FROM netpulse.{table}") == []
