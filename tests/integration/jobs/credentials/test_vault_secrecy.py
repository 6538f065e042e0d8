"""What is secret stays out of logs at DEBUG, and out of errors with all that hangs on them."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator

import pytest

from jobs.credentials.vault import Vault
from jobs.credentials.vault.outage import REST_S
from jobs.settings import VaultSettings
from tests.vault import ManualClock, VaultServer
from tests.vault.providers import settings_for, vault_of

pytestmark = pytest.mark.anyio

PASSWORD = "s3cret-Pass-0123456789"


@pytest.fixture
def server() -> Iterator[VaultServer]:
    with VaultServer() as server:
        server.put("hq/admin", {"password": PASSWORD})
        server.put("hq/nested", {"login": {"password": PASSWORD}})
        server.add_policy("hq", {"secret/data/hq/*": ["read", "update"]})
        yield server


def everything(vault: Vault) -> list[Callable[[], Awaitable[object]]]:
    return [
        lambda: vault.test(),
        lambda: vault.read("hq/admin"),
        lambda: vault.read("hq/nested"),
        lambda: vault.read("dc/admin"),
        lambda: vault.create("hq/admin", {"password": PASSWORD}, None, "me"),
        lambda: vault.create("hq/admin", {"password": PASSWORD}, {"note": PASSWORD}, "me"),
        lambda: vault.create("hq/admin", {"password": PASSWORD + "\ud800"}, None, "me"),
        lambda: vault.delete("hq/admin"),
        lambda: vault.about("hq/admin"),
        lambda: vault.list("hq", recursive=True),
    ]


async def said_of(vault: Vault, clock: ManualClock) -> str:
    """All that can be read off the provider, and off the errors of every operation."""
    told = [repr(vault), repr(vars(vault))]
    for operation in everything(vault):
        clock.advance(REST_S)
        try:
            await operation()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is looked through
            told += [repr(error), repr(vars(error)), *traceback.format_exception(error)]
    return "\n".join(told)


def faults(server: VaultServer) -> list[Callable[[], object]]:
    """Vaults of every kind, each worse than the one before."""
    return [lambda: None, server.revoke_all, server.seal, server.unseal, server.stop]


@pytest.mark.parametrize("way", ["token", "approle"])
async def test_no_secret_gets_out(server: VaultServer, caplog: pytest.LogCaptureFixture, way: str) -> None:
    caplog.set_level(logging.DEBUG)
    clock = ManualClock()
    settings, secret = login(server, way)
    told = ""
    async with vault_of(settings, clock) as vault:
        for happens in faults(server):
            happens()
            told += await said_of(vault, clock)
        server.start()
        echo = f'{{"errors": ["{PASSWORD} {secret}"]}}'.encode()  # a Vault that repeats what it was sent
        for status in (200, 307, 400, 403, 500):
            with server.say(status, echo):
                told += await said_of(vault, clock)
        await asyncio.sleep(0)  # for what is logged when connections end

    assert "is sealed" in told
    assert "cannot be reached" in told
    tokens = {request.headers.get("X-Vault-Token", secret) for request in server.seen}
    logged = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    assert "httpcore" in logged
    for found in (told, logged):
        for hidden in (PASSWORD, secret, *tokens):
            assert hidden not in found


def login(server: VaultServer, way: str) -> tuple[VaultSettings, str]:
    """Settings, and what of them is secret."""
    if way == "token":
        token = server.issue_token(["hq"])
        return settings_for(server, token=token), token
    role_id, secret_id = server.add_role(["hq"])
    return settings_for(server, role_id=role_id, secret_id=secret_id), secret_id


async def test_a_login_in_the_address_is_neither_sent_nor_said(server: VaultServer) -> None:
    settings = settings_for(server).model_copy(update={"address": server.url.replace("//", f"//user:{PASSWORD}@")})
    async with vault_of(settings) as vault:
        assert (await vault.read("hq/admin")).version == 1
        server.seal()
        told = await said_of(vault, ManualClock())

    assert f"Vault at {server.url} is sealed" in told
    assert PASSWORD not in told
    assert all("Authorization" not in request.headers for request in server.seen)
