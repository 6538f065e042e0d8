"""`netpulse templates`: the template library, from the command line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from app.services import database_engine
from app.supervisor import StartFailed
from jobs.away import is_database_away
from jobs.library import Draft, Kind, Library, is_name
from jobs.logs import configure_logs
from jobs.references import LARGEST_BYTES
from jobs.rendering import LONGEST_TEMPLATE
from jobs.settings import load_settings
from jobs.startup import process_secrets, require
from jobs.template_runner import TemplateRunner
from jobs.templating.errors import TemplateError

T = TypeVar("T")

SUFFIXES: dict[str, Kind] = {".j2": "jinja2", ".textfsm": "textfsm", ".ttp": "ttp", ".regex": "regex"}
BY = "netpulse templates import"
PAGE = 1000


class BadFile(Exception):
    """A file that is no template. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file."""

    draft: Draft
    version: int
    outcome: str


@dataclass(frozen=True, slots=True)
class Shelf:
    """The library, and what checks templates before they get there."""

    library: Library
    templates: TemplateRunner


def run_import(folder: Path) -> None:
    """Store a folder's templates, and exit with 1 if some are bad. Raises SettingsError, StartFailed."""
    imported, faults = asyncio.run(_with_library(lambda shelf: import_folder(shelf, folder)))
    table = Table("kind", "name", "version", "outcome")
    for item in imported:
        table.add_row(item.draft.kind, item.draft.name, str(item.version), item.outcome)
    Console().print(table)
    for fault in faults:
        sys.stderr.write(f"netpulse: {fault}\n")
    if faults:
        sys.exit(1)


def run_list() -> None:
    """Print the library. Raises SettingsError, StartFailed."""
    table = asyncio.run(_with_library(_listed))
    Console().print(table)


async def import_folder(shelf: Shelf, folder: Path) -> tuple[list[Imported], list[str]]:
    """Store what is new or has changed; returns what became of the good files, and a sentence for each bad one."""
    imported, faults = [], []
    for path in _files(folder):
        try:
            imported.append(await _import(shelf, folder, path))
        except (BadFile, TemplateError) as error:
            faults.append(f"{path}: {error}.")
    return imported, faults


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES and path.is_file())


async def _import(shelf: Shelf, folder: Path, path: Path) -> Imported:
    draft = _draft(folder, path)
    await shelf.templates.check(draft.kind, draft.text)
    if version := await shelf.library.create(draft, BY):
        return Imported(draft, version, "new")
    revised = await shelf.library.revise(draft, BY)
    if revised is None:
        raise BadFile("it was removed from the library at this moment")
    version, changed = revised
    return Imported(draft, version, "revised" if changed else "unchanged")


def _draft(folder: Path, path: Path) -> Draft:
    name = path.relative_to(folder).with_suffix("").as_posix()
    if not is_name(name):
        raise BadFile("a name is made of a-z 0-9 . _ - and /, and each part begins with a letter or a digit")
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES + 1).decode()
    except OSError:
        raise BadFile("it cannot be read") from None
    except UnicodeDecodeError:
        raise BadFile("it is not UTF-8 text") from None
    if not 0 < len(text) <= LONGEST_TEMPLATE or "\0" in text:
        raise BadFile(f"a template has 1 to {LONGEST_TEMPLATE:,} characters, none of them a null character")
    return Draft(SUFFIXES[path.suffix], name, text)


async def _listed(shelf: Shelf) -> Table:
    table, after = Table("kind", "name", "version", "changed", "description"), None
    while rows := await shelf.library.templates(None, "", PAGE, after):
        for row in rows:
            table.add_row(row.kind, row.name, str(row.version), f"{row.updated_at:%Y-%m-%d %H:%M}", row.description)
        after = (rows[-1].kind, rows[-1].name)
    return table


async def _with_library(work: Callable[[Shelf], Awaitable[T]]) -> T:
    try:
        async with _shelf() as shelf:
            return await work(shelf)
    except Exception as error:  # only the predicate knows which ones mean that
        if not is_database_away(error):
            raise
        raise StartFailed("PostgreSQL is out of reach") from None


@asynccontextmanager
async def _shelf() -> AsyncIterator[Shelf]:
    settings = load_settings()
    url = require(settings, keys=False)
    configure_logs(settings.log, process_secrets(settings))
    database = database_engine(url, connections=1)
    library = Library(database)
    templates = TemplateRunner.of(library.text, settings.templates)
    try:
        yield Shelf(library, templates)
    finally:
        await templates.close()
        await database.dispose()
