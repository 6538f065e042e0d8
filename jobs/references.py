"""Where a template comes from: its own text, the library, a folder of the site, an address that the site allows."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from drivers.paths import found_below
from jobs.library import KINDS, LONGEST_NAME, NAME, Kind
from jobs.remote_templates import RemoteTemplates
from jobs.settings import TemplateSettings
from jobs.templating.errors import TemplateNotFound

LARGEST_BYTES = 2**20
FETCH_S = 5.0

Lookup: TypeAlias = Callable[[Kind, str, int | None], Awaitable[str | None]]
"""A library's text by kind, name and version (None: the latest): `Library.text`, or `stored_text` of a pool."""

_REFERENCE = re.compile(r"(?P<scheme>name|file|https?)://\S*", re.IGNORECASE)
_NAMED = re.compile(rf"((?P<kind>{'|'.join(KINDS)})/)?(?P<name>{NAME})(@(?P<version>[1-9][0-9]{{0,8}}))?")


@dataclass(frozen=True, slots=True)
class Template:
    """A template's text."""

    text: str
    vetted: bool
    """It is the site's own, from its library or folders: not sent by a client, and not another host's."""


class References:
    """Finds the templates that clients name."""

    def __init__(self, lookup: Lookup, settings: TemplateSettings) -> None:
        self._lookup = lookup
        self._folders = settings.folder_paths
        self._remote = RemoteTemplates(settings.allowed_urls, timeout_s=FETCH_S, max_bytes=LARGEST_BYTES)

    async def resolve(self, engine: str, given: str) -> Template:
        """The template that `given` is or names; `engine` is what will run it. Raises TemplateNotFound.

        A reference is one word: `name://`, `file://`, `http://` or `https://` and what follows. All else is the text.
        """
        reference = _REFERENCE.fullmatch(given)
        if reference is None:
            return Template(given, vetted=False)
        where = given[reference.end("scheme") + len("://") :]
        match reference["scheme"].lower():
            case "name":
                return Template(await self._stored(engine, where), vetted=True)
            case "file":
                content = await asyncio.to_thread(_content, self._folders, where)
                return Template(_decoded(content), vetted=True)
        return Template(_decoded(await self._remote.fetch(given)), vetted=False)

    async def _stored(self, engine: str, where: str) -> str:
        named = _NAMED.fullmatch(where)
        if named is None or len(named["name"]) > LONGEST_NAME:
            raise TemplateNotFound("a reference must be name://kind/name@version, kind and version may be left out")
        kind = next((known for known in KINDS if known == (named["kind"] or engine)), None)
        if kind is None or (engine in KINDS and kind != engine):
            raise TemplateNotFound(f"{engine} needs a template of another kind than the one that is named")
        found = await self._lookup(kind, named["name"], int(named["version"]) if named["version"] else None)
        if found is None:
            version = f" in version {named['version']}" if named["version"] else ""
            raise TemplateNotFound(f"the library has no {kind} template {named['name']}{version}")
        return found


def _content(folders: tuple[Path, ...], name: str) -> bytes:
    """One sentence for a missing and for a forbidden file: nobody may probe for files. Raises TemplateNotFound."""
    found = found_below(folders, name)
    if found is not None:
        try:
            return _read(found)
        except OSError:  # unreadable, or gone at this moment
            pass
    raise TemplateNotFound("the template's file is in none of the folders that this site has for templates")


def _read(path: Path) -> bytes:
    """Links are resolved in `path`; what was put in its place since then is not followed, nor waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise TemplateNotFound(f"the template's file is larger than {LARGEST_BYTES:,} bytes")
    return content


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise TemplateNotFound("the template is not UTF-8 text") from None
