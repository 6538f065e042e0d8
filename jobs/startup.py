"""What every process checks of its settings before it starts."""

from __future__ import annotations

from urllib.parse import urlsplit

from sqlalchemy import make_url

from jobs.seal import Seal
from jobs.settings import Settings, SettingsError


def require(settings: Settings, *, keys: bool = True, api_key: bool = False) -> str:
    """The database's URL. Raises SettingsError naming all that is missing or malformed at once.

    `keys`: the process seals or opens logins. `api_key`: it lets clients in.
    """
    faults = []
    if settings.database_url is None:
        faults.append("DATABASE_URL: needed, e.g. postgresql://netpulse@db.example/netpulse (or try: netpulse demo)")
    if keys and not _usable(settings):
        faults.append("NETPULSE_SECRET_KEYS: one or more Fernet keys are needed; `netpulse secrets new` prints one")
    if api_key and settings.server.api_key is None:
        faults.append("NETPULSE_SERVER__API_KEY: needed, 16 characters or more")
    if faults:
        raise SettingsError("\n".join(faults))
    return str(settings.database_url)


def _usable(settings: Settings) -> bool:
    try:
        Seal([key.get_secret_value() for key in settings.secret_keys])
    except ValueError:
        return False
    return True


def process_secrets(settings: Settings) -> list[str]:
    """The secrets that this process knows from its settings: they must not appear in its logs."""
    secrets = [key.get_secret_value() for key in settings.secret_keys]
    if settings.server.api_key is not None:
        secrets.append(settings.server.api_key.get_secret_value())
    if settings.database_url is not None and (password := make_url(settings.database_url).password):
        secrets += [str(password), str(urlsplit(settings.database_url).password)]  # the latter as the URL spells it
    return secrets
