"""The template library: templates in PostgreSQL that clients refer to by name, with all their versions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

from sqlalchemy import Row, and_, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.database import Pool
from jobs.tables import template, template_version

Kind: TypeAlias = Literal["jinja2", "textfsm", "ttp", "regex"]

KINDS: tuple[Kind, ...] = get_args(Kind)

LONGEST_NAME = 200
LONGEST_DESCRIPTION = 2_000
LONGEST_SAMPLE = 262_144
"""Characters."""

SHOWN_VERSIONS = 100
"""The latest so many are listed."""

NAME = r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*"
"""Not more than LONGEST_NAME characters."""

_CREATE = text("SELECT netpulse.create_template(:kind, :name, :text, :description, :sample, :by)")
_REVISE = text("SELECT * FROM netpulse.revise_template(:kind, :name, :text, :description, :sample, :by)")
_REMOVE = text("SELECT netpulse.remove_template(:kind, :name)")
_TEXT = """
    SELECT v.text FROM netpulse.template AS t JOIN netpulse.template_version AS v USING (kind, name)
     WHERE t.kind = $1 AND t.name = $2 AND v.version = coalesce($3, t.version)"""


def is_name(name: str) -> bool:
    """Whether a template may be called that. The last part is not `schema`, which is an address below a template's."""
    return len(name) <= LONGEST_NAME and re.fullmatch(NAME, name) is not None and name.rpartition("/")[2] != "schema"


@dataclass(frozen=True, slots=True)
class Draft:
    """What somebody wants to store. `description` and `sample`: None keeps what a template has, or is empty."""

    kind: Kind
    name: str
    text: str
    description: str | None = None
    sample: str | None = None

    def values(self, by: str) -> dict[str, Any]:
        """For the SQL functions; `by`: whose wish it is."""
        about = {"description": self.description, "sample": self.sample}
        return {"kind": self.kind, "name": self.name, "text": self.text, **about, "by": by}


@dataclass(frozen=True, slots=True)
class Stored:
    """A template in one of its versions, and the latest of its versions, newest first."""

    template: Row[Any]
    version: Row[Any]
    versions: Sequence[Row[int, datetime, str]]


class Library:
    """The library as the API and the command line use it."""

    def __init__(self, database: AsyncEngine) -> None:
        """`database` commits each statement by itself."""
        self._database = database

    async def create(self, draft: Draft, by: str) -> int | None:
        """Store a new template; returns its version, None if there is one of that name."""
        async with self._database.connect() as connection:
            version: int | None = (await connection.execute(_CREATE, draft.values(by))).scalar_one()
        return version

    async def revise(self, draft: Draft, by: str) -> tuple[int, bool] | None:
        """Store a new version, unless the text is as it was. Returns the version and whether anything changed.

        None: there is no such template.
        """
        async with self._database.connect() as connection:
            row = (await connection.execute(_REVISE, draft.values(by))).one()
        return None if row.version is None else (row.version, row.changed)

    async def remove(self, kind: Kind, name: str) -> int:
        """Remove all versions; returns how many those were."""
        async with self._database.connect() as connection:
            return int((await connection.execute(_REMOVE, {"kind": kind, "name": name})).scalar_one())

    async def find(self, kind: Kind, name: str, version: int | None = None) -> Stored | None:
        """A template, in its latest version or in another; None: there is none."""
        ours = and_(template.c.kind == kind, template.c.name == name, template.c.removed_at.is_(None))
        versions = select(template_version).where(template_version.c.kind == kind, template_version.c.name == name)
        column = template_version.c.version
        async with self._database.connect() as connection:
            head = (await connection.execute(select(template).where(ours))).one_or_none()
            if head is None:
                return None
            wanted = versions.where(column == (head.version if version is None else version))
            found = (await connection.execute(wanted)).one_or_none()
            latest = versions.with_only_columns(column, template_version.c.created_at, template_version.c.created_by)
            listed = (await connection.execute(latest.order_by(column.desc()).limit(SHOWN_VERSIONS))).all()
        return None if found is None else Stored(head, found, listed)

    async def templates(
        self, kind: Kind | None, prefix: str, limit: int, after: tuple[str, str] | None = None
    ) -> Sequence[Row[Any]]:
        """The templates by kind and name, those behind the kind and name `after`; `prefix`: how names begin."""
        wanted = select(template).where(template.c.removed_at.is_(None))
        if kind is not None:
            wanted = wanted.where(template.c.kind == kind)
        if prefix:
            wanted = wanted.where(template.c.name.startswith(prefix, autoescape=True))
        if after is not None:
            wanted = wanted.where(tuple_(template.c.kind, template.c.name) > tuple_(*after))
        async with self._database.connect() as connection:
            return (await connection.execute(wanted.order_by(template.c.kind, template.c.name).limit(limit))).all()

    async def text(self, kind: Kind, name: str, version: int | None) -> str | None:
        """The text of a template, in its latest version or in another; None: there is none."""
        wanted = (
            select(template_version.c.text)
            .join(
                template, and_(template.c.kind == template_version.c.kind, template.c.name == template_version.c.name)
            )
            .where(template.c.kind == kind, template.c.name == name)
            .where(template_version.c.version == (template.c.version if version is None else version))
        )
        async with self._database.connect() as connection:
            return (await connection.execute(wanted)).scalar_one_or_none()


async def stored_text(database: Pool, kind: Kind, name: str, version: int | None) -> str | None:
    """`Library.text`, as workers ask it."""
    found: str | None = await database.fetchval(_TEXT, kind, name, version)
    return found
