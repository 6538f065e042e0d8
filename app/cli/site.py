"""A site on this machine: its database, its keys, its processes."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from app import migrations
from app.postgres import EmbeddedPostgres, default_data_dir
from app.postgres.directories import own_directory
from app.supervisor import Service, Supervisor, answers
from jobs.seal import new_key
from jobs.settings import PREFIX, Settings

CHECKOUT = Path(__file__).resolve().parents[2]
DATABASE = "netpulse"
READY_S = 60.0


@dataclass(frozen=True)
class Site:
    """Where a running site is."""

    url: str
    api_key: str
    supervisor: Supervisor


def data_directory() -> Path:
    """NETPULSE_DATA_DIR, or the checkout's own."""
    given = os.environ.get(f"{PREFIX}DATA_DIR")
    return Path(given) if given else default_data_dir(CHECKOUT)


@contextmanager
def database(settings: Settings, data: Path) -> Iterator[str]:
    """URL of DATABASE_URL's server, or of an embedded one in `data` that lives as long as this."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with EmbeddedPostgres(data) as server:
        server.ensure_database(DATABASE)
        yield server.url(DATABASE)


def kept_secret(data: Path, name: str, make: Callable[[], str]) -> str:
    """A secret of this site, made at the first start and kept in a file that only we can read."""
    path = data / name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        secret = make()
        file.write(secret + "\n")
    return secret


@contextmanager
def site(settings: Settings, output: IO[bytes], on_end: Callable[[Service], None]) -> Iterator[Site]:
    """A migrated database, API and worker, ready to serve. Raises PostgresError, StartFailed."""
    data = data_directory()
    own_directory(data)
    with database(settings, data) as database_url:
        migrations.upgrade(database_url)
        environment, api_key = _environment(settings, data, database_url)
        services = [Service(command, environment, output) for command in ("api", "worker")]
        with Supervisor(services, on_end) as supervisor:
            server = settings.server
            host = "127.0.0.1" if server.host in ("0.0.0.0", "::") else server.host  # noqa: S104 - reads it only
            url = f"http://{host}:{server.port}"
            supervisor.wait_until(lambda: answers(f"{url}/health/ready"), "the API", READY_S)
            yield Site(url, api_key, supervisor)


def _environment(settings: Settings, data: Path, database_url: str) -> tuple[dict[str, str], str]:
    """What the children need beyond our own environment. An embedded site makes its own keys; others bring theirs."""
    environment = {"DATABASE_URL": database_url}
    own = settings.database_url is None
    if own and not settings.secret_keys:
        environment[f"{PREFIX}SECRET_KEYS"] = kept_secret(data, "secret_keys", new_key)
    if settings.server.api_key is not None:
        return environment, settings.server.api_key.get_secret_value()
    if not own:
        return environment, ""  # the API refuses to start, and says why
    api_key = kept_secret(data, "api_key", lambda: secrets.token_urlsafe(24))
    environment[f"{PREFIX}SERVER__API_KEY"] = api_key
    return environment, api_key
