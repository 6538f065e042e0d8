"""What every process checks of its settings before it starts."""

from __future__ import annotations

from urllib.parse import urlsplit

from sqlalchemy import make_url

from jobs.seal import Seal
from jobs.settings import Settings, SettingsError


def require_database(settings: Settings) -> str:
    """The database's URL. Raises SettingsError if none is set."""
    if settings.database_url is None:
        raise SettingsError(
            "DATABASE_URL: needed, e.g. postgresql://netpulse@db.example/netpulse (or try: netpulse demo)"
        )
    return settings.database_url


def require_keys(settings: Settings, *, api: bool = True) -> None:
    """Raises SettingsError naming every secret that is missing or malformed. `api` false: a worker needs no API key."""
    faults = []
    try:
        Seal([key.get_secret_value() for key in settings.secret_keys])
    except ValueError:
        faults.append("NETPULSE_SECRET_KEYS: one or more Fernet keys are needed; `netpulse keys new` prints one")
    if api and settings.server.api_key is None:
        faults.append("NETPULSE_SERVER__API_KEY: needed, 16 characters or more")
    if faults:
        raise SettingsError("\n".join(faults))


def process_secrets(settings: Settings) -> list[str]:
    """The secrets that this process knows from its settings: they must not appear in its logs."""
    secrets = [key.get_secret_value() for key in settings.secret_keys]
    if settings.server.api_key is not None:
        secrets.append(settings.server.api_key.get_secret_value())
    if settings.database_url is not None and (password := make_url(settings.database_url).password):
        secrets += [str(password), str(urlsplit(settings.database_url).password)]  # the latter as the URL spells it
    return secrets
