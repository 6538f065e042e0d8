"""`netpulse keys`: API keys, from the command line; for whoever may use the database."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NoReturn, TypeVar

from rich.console import Console
from rich.table import Table
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from app.cli import UNUSABLE
from app.keys import fields_of
from app.services import database_engine
from app.supervisor import StartFailed
from jobs.audit import AuditEvent, write_events
from jobs.away import is_database_away
from jobs.invalid import RequestInvalid, validated
from jobs.key_entry import KeyEntry, Rotation
from jobs.keys import Keys, Made, NoLongerCounts
from jobs.logs import configure_logs
from jobs.settings import load_settings
from jobs.startup import process_secrets, require

T = TypeVar("T")

BY = "cli"


def run_create(**given: Any) -> None:
    """Make a key and print its text; `given`: fields of a KeyEntry. Raises SettingsError, StartFailed."""
    entry = _valid(KeyEntry, {name: value for name, value in given.items() if value not in (None, ())})
    made = _with_keys(lambda keys: keys.create(entry, BY), _event("create", entry.name))
    if made is None:
        _refuse(f"there is, or was, a key named {entry.name}; names are for ever")
    sys.stdout.write(f"{made.text}\n")


def run_list(*, as_json: bool) -> None:
    """Print all keys, without their texts. Raises SettingsError, StartFailed."""
    rows = _with_keys(lambda keys: keys.every(), None)
    if as_json:
        views = [{name: _plain(value) for name, value in fields_of(row).items()} for row in rows]
        sys.stdout.write(json.dumps(views, indent=2) + "\n")
    else:
        Console().print(_table(rows))


def run_revoke(name: str) -> None:
    """Let a key count no more. Raises SettingsError, StartFailed."""
    if _with_keys(lambda keys: keys.revoke(name), _event("revoke", name)) is None:
        _refuse_unknown(name)
    sys.stderr.write(f"netpulse: {name} is revoked; within two seconds every process refuses it\n")


def run_rotate(name: str, grace_s: float) -> None:
    """Give a key a new text and print that. Raises SettingsError, StartFailed."""
    wish = _valid(Rotation, {"grace_s": grace_s})
    try:
        made: Made | None = _with_keys(lambda keys: keys.rotate(name, wish.grace_s), _event("rotate", name))
    except NoLongerCounts as error:
        _refuse(str(error))
    if made is None:
        _refuse_unknown(name)
    sys.stdout.write(f"{made.text}\n")


def _valid(model: type[T], given: dict[str, Any]) -> T:
    try:
        return validated(model, given)  # type: ignore[type-var]  # both are pydantic models
    except RequestInvalid as error:
        _refuse(str(error))


def _refuse_unknown(name: str) -> NoReturn:
    _refuse(f"there is no key named {name}")


def _refuse(sentence: str) -> NoReturn:
    sys.stderr.write(f"netpulse: {sentence}\n")
    sys.exit(UNUSABLE)


def _table(rows: Sequence[Row[Any]]) -> Table:
    table = Table("name", "status", "scopes", "hosts", "credentials", "expires", "last used", "description")
    for row in rows:
        patterns = [" ".join(some) if some is not None else "any" for some in (row.hosts, row.credentials)]
        moments = [_moment(at) for at in (row.expires_at, row.last_used_at)]
        table.add_row(row.name, row.status, " ".join(row.scopes), *patterns, *moments, row.description)
    return table


def _moment(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _event(action: str, name: str) -> AuditEvent:
    return AuditEvent(f"keys {action}", allowed=True, actor=BY, subject=name)


def _with_keys(work: Callable[[Keys], Awaitable[T]], event: AuditEvent | None) -> T:
    """What `work` does; `event` goes on record if it did something."""

    async def run() -> T:
        async with _database() as database:
            done = await work(Keys(database))
            if event is not None and done is not None:
                await write_events(database, [event])
            return done

    try:
        return asyncio.run(run())
    except Exception as error:  # only the predicate knows which ones mean that
        if not is_database_away(error):
            raise
        raise StartFailed("PostgreSQL is out of reach") from None


@asynccontextmanager
async def _database() -> AsyncIterator[AsyncEngine]:
    settings = load_settings()
    url = require(settings, keys=False)
    configure_logs(settings.log, process_secrets(settings))
    database = database_engine(url, connections=1)
    try:
        yield database
    finally:
        await database.dispose()
