"""`netpulse retention`: remove what is over and old, now; or tell what would go."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from datetime import datetime

import asyncpg
from rich.console import Console
from rich.table import Table

from app.cli.secrets import INTERRUPTED, NOTE_EVERY_S
from app.supervisor import StartFailed
from jobs.database import LOST, connect
from jobs.logs import configure_logs
from jobs.retention import REST, Preview, begin, preview, remove
from jobs.settings import RetentionSettings, load_settings
from jobs.startup import process_secrets, require

BUSY = 1
"""Exit status while a worker, or another such command, does the same."""


def run_retention(*, dry_run: bool) -> None:
    """Remove until nothing is left, or only count. Raises SettingsError, StartFailed."""
    settings = load_settings()
    url = require(settings, keys=False)
    configure_logs(settings.log, process_secrets(settings))
    try:
        asyncio.run(_show(url, settings.retention) if dry_run else _remove(url, settings.retention))
    except KeyboardInterrupt:
        sys.stderr.write("netpulse: interrupted; what is removed is removed, and the same command goes on.\n")
        sys.exit(INTERRUPTED)
    except (*LOST, asyncpg.PostgresError) as error:
        said = f"{type(error).__name__}: {error}" if isinstance(error, asyncpg.PostgresError) else "out of reach"
        raise StartFailed(f"PostgreSQL: {said}; the same command goes on where this one ended") from None


async def _show(url: str, settings: RetentionSettings) -> None:
    connection = await connect(url)
    try:
        found = await preview(connection, settings)
    finally:
        connection.terminate()
    table = Table("kind", "to be removed", "oldest", "newest")
    for kind in found:
        table.add_row(kind.kind, _count(kind), _moment(kind.oldest), _moment(kind.newest))
    Console().print(table)


async def _remove(url: str, settings: RetentionSettings) -> None:
    connection = await connect(url)
    removed: Counter[str] = Counter()
    try:
        round_id = await begin(connection, "cli")
        if round_id is None:
            sys.stderr.write("netpulse: a worker, or another such command, removes at this moment\n")
            sys.exit(BUSY)
        said_at = time.monotonic()
        async for batch in remove(connection, settings, round_id):
            removed[batch.kind] += batch.removed
            if time.monotonic() - said_at >= NOTE_EVERY_S:
                said_at = time.monotonic()
                sys.stderr.write(f"{batch.kind}: {removed[batch.kind]:,} removed\n")
            await asyncio.sleep(batch.took_s * REST)
    finally:
        connection.terminate()
    _show_removed(removed)


def _show_removed(removed: Counter[str]) -> None:
    table = Table("kind", "removed")
    for kind, count in removed.items():
        table.add_row(kind, f"{count:,}")
    Console().print(table)


def _count(found: Preview) -> str:
    if not found.allowed:
        return "by the schema's owner only"
    return f"{found.count:,}{' and more' if found.more else ''}"


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"
