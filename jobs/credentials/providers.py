"""The providers of credentials that this process can ask: the built-in ones, and plug-ins (entry point group)."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import entry_points

from jobs.credentials.base import Provider
from jobs.settings import Settings, SettingsError

GROUP = "netpulse.credentials"

LOCAL, VAULT = "local", "vault"


def load_providers(settings: Settings, local: Provider) -> dict[str, Provider]:
    """Providers by name; connects to nothing yet. Without an address there is no vault.

    A plug-in is a callable without arguments that makes a provider. Raises SettingsError for one that takes a built-in
    provider's name.
    """
    providers: dict[str, Provider] = {LOCAL: local}
    if settings.vault.address is not None:
        from jobs.credentials.vault import Vault  # hvac takes a while to import

        providers[VAULT] = Vault.of(settings.vault)
    for entry in entry_points(group=GROUP):
        plug_in: Provider = entry.load()()
        if plug_in.name in (LOCAL, VAULT):
            raise SettingsError(f"{entry.value} ({GROUP}) is called {plug_in.name}, as a built-in provider is")
        providers[plug_in.name] = plug_in
    return providers


def default_provider(settings: Settings, providers: Collection[str]) -> str:
    """The provider of references that name none. Raises SettingsError for one that is not installed."""
    name = settings.credentials.provider or (VAULT if VAULT in providers else LOCAL)
    if name not in providers:
        raise SettingsError(
            f"NETPULSE_CREDENTIALS__PROVIDER: there is no such provider; installed: {', '.join(sorted(providers))}"
        )
    return name
