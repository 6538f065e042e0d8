"""The provider under test, at a stand-in or a real Vault."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from jobs.credentials.vault import Vault
from jobs.settings import VaultSettings
from tests.vault.server import VaultServer


def settings_for(server: VaultServer, **given: Any) -> VaultSettings:
    """With the root token, unless a login is given, and with patience: no test may depend on a quick machine."""
    login = {} if "role_id" in given else {"token": server.root_token}
    return VaultSettings.model_validate({"address": server.url, "timeout_s": 30, **login, **given})


@asynccontextmanager
async def vault_of(settings: VaultSettings, clock: Callable[[], float] = time.monotonic) -> AsyncIterator[Vault]:
    """A provider for the length of the block."""
    vault = Vault.of(settings, clock)
    try:
        yield vault
    finally:
        await vault.close()
