"""`netpulse secrets`: the secret keys, and what is sealed under them."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from app.services import database_engine
from app.supervisor import StartFailed
from jobs.audit import AuditEvent, write_events
from jobs.away import is_database_away
from jobs.logs import configure_logs
from jobs.rotation import Count, Counts, Kind, rotate
from jobs.seal import Seal
from jobs.settings import Settings, load_settings
from jobs.startup import process_secrets, require

NOTE_EVERY_S = 1.0

INTERRUPTED = 130
"""Exit status that shells give what Ctrl-C ended."""


def run_rotate(batch: int, *, dry_run: bool) -> None:
    """Seal all again under the first key, and exit with 1 if some could not be. Raises SettingsError, StartFailed."""
    settings = load_settings()
    url = require(settings)
    configure_logs(settings.log, process_secrets(settings))
    try:
        counts = asyncio.run(_rotate(settings, url, batch, dry_run))
    except KeyboardInterrupt:
        sys.stderr.write("netpulse: interrupted; what is done is done, and the same command goes on with the rest.\n")
        sys.exit(INTERRUPTED)
    Console().print(_table(counts, dry_run))
    faults = list(_faults(counts))
    for fault in faults:
        sys.stderr.write(f"netpulse: {fault}\n")
    if faults:
        sys.exit(1)


async def _rotate(settings: Settings, url: str, batch: int, dry_run: bool) -> Counts:
    seal = Seal([key.get_secret_value() for key in settings.secret_keys])
    engine = database_engine(url, connections=1)
    try:
        async with engine.connect() as connection:
            counts = await rotate(connection, seal, batch=batch, dry_run=dry_run, note=_Progress().note)
        if not dry_run:
            detail = {kind.name: count.resealed for kind, count in counts.items()}
            await write_events(engine, [AuditEvent("secrets rotate", allowed=True, actor="cli", detail=detail)])
        return counts
    except Exception as error:  # only the predicate knows which ones mean that
        if not is_database_away(error):
            raise
        raise StartFailed("PostgreSQL is out of reach; the same command goes on where this one ended") from None
    finally:
        await engine.dispose()


class _Progress:
    """Says on standard error how far it is, about once a second."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def note(self, kind: Kind, count: Count) -> None:
        if time.monotonic() - self._said_at >= NOTE_EVERY_S:
            self._said_at = time.monotonic()
            sys.stderr.write(f"{kind.name}: {count.looked_at:,} looked at\n")


def _table(counts: Counts, dry_run: bool) -> Table:
    table = Table("kind", "looked at", "to be re-sealed" if dry_run else "re-sealed", "not openable")
    for kind, count in counts.items():
        table.add_row(kind.name, f"{count.looked_at:,}", f"{count.resealed:,}", f"{count.broken:,}")
    return table


def _faults(counts: Counts) -> Iterator[str]:
    for kind, count in counts.items():
        if count.broken:
            yield f"{count.broken:,} {kind.name} were sealed under a key that is not in NETPULSE_SECRET_KEYS."
        if count.locked:
            yield f"{count.locked:,} {kind.name} were locked by long transactions; run the same command again."
