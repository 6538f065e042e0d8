"""The API keys in PostgreSQL: making, listing, revoking and replacing them. Of their texts only digests are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import ColumnElement, Row, case, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.access_tables import api_key
from jobs.key_entry import KeyEntry, principal_of
from jobs.key_text import digest_of, new_id, new_text
from jobs.principal import Principal

NOTED_S = 60
"""The last use of a key is noted this often."""

_now = func.clock_timestamp()
_STATUS = case(
    (api_key.c.revoked_at.is_not(None), "revoked"), (api_key.c.expires_at <= _now, "expired"), else_="active"
).label("status")
_SHOWN = [*(column for column in api_key.c if column.name not in ("digest", "previous_digest")), _STATUS]
_MINUTE = text(f"interval '{NOTED_S} seconds'")


class NoLongerCounts(Exception):
    """A key that is revoked or has expired cannot be replaced. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Made:
    """A key that was made or replaced."""

    text: str = field(repr=False)
    """To be shown once."""
    row: Row[Any]


class Keys:
    """The keys as the API and the command line use them. Rows have a `status`, and no digests."""

    def __init__(self, database: AsyncEngine) -> None:
        """`database` commits each statement by itself."""
        self._database = database

    async def create(self, entry: KeyEntry, by: str) -> Made | None:
        """Make a key; None: the name is taken, or was, by a key that is revoked. `by`: whose wish it is."""
        key_id = new_id()
        made = new_text(key_id)
        given = entry.model_dump(exclude={"expires_at", "expires_in_days"})
        values = {**given, "id": key_id, "digest": digest_of(made), "expires_at": entry.end(), "created_by": by}
        making = insert(api_key).values(values).on_conflict_do_nothing(index_elements=["name"]).returning(*_SHOWN)
        row = await self._one(making)
        return None if row is None else Made(made, row)

    async def every(self) -> Sequence[Row[Any]]:
        """All keys by name, the revoked ones too."""
        return await self._all(select(*_SHOWN).order_by(api_key.c.name))

    async def find(self, name: str) -> Row[Any] | None:
        """The key of that name; None: there is none."""
        return await self._one(select(*_SHOWN).where(api_key.c.name == name))

    async def revoke(self, name: str) -> Row[Any] | None:
        """Let it count no more; None: there is none of that name."""
        since = func.coalesce(api_key.c.revoked_at, _now)
        return await self._one(
            update(api_key).where(api_key.c.name == name).values(revoked_at=since).returning(*_SHOWN)
        )

    async def rotate(self, name: str, grace_s: float) -> Made | None:
        """Give the key another text; the one before counts for `grace_s` seconds.

        None: there is none of that name. Raises NoLongerCounts.
        """
        row = await self.find(name)
        if row is None:
            return None
        made = new_text(row.id)
        values = {
            "digest": digest_of(made),
            "previous_digest": api_key.c.digest,
            "previous_until": _now + func.make_interval(0, 0, 0, 0, 0, 0, float(grace_s)),
        }
        replacing = update(api_key).where(api_key.c.id == row.id, _STATUS == "active").values(values)
        replaced = await self._one(replacing.returning(*_SHOWN))
        if replaced is None:
            raise NoLongerCounts("The key is revoked or has expired; make a new one.")
        return Made(made, replaced)

    async def with_ids(self, ids: Sequence[str]) -> Sequence[Row[Any]]:
        """The keys with these ids and their digests.

        `left_s`, `previous_left_s`: seconds that the key, and the text before, count from now on.
        """
        left = [
            func.extract("epoch", column - _now).label(label)
            for column, label in ((api_key.c.expires_at, "left_s"), (api_key.c.previous_until, "previous_left_s"))
        ]
        return await self._all(select(api_key, *left).where(api_key.c.id.in_(ids)))

    async def note_use(self, key_id: str) -> None:
        """Note that it is in use, unless that was done a moment ago."""
        stale: ColumnElement[bool] = func.coalesce(api_key.c.last_used_at < _now - _MINUTE, literal(True))
        async with self._database.connect() as connection:
            await connection.execute(
                update(api_key).where(api_key.c.id == key_id, stale).values(last_used_at=func.clock_timestamp())
            )

    async def _one(self, statement: Any) -> Row[Any] | None:
        async with self._database.connect() as connection:
            row: Row[Any] | None = (await connection.execute(statement)).one_or_none()
        return row

    async def _all(self, statement: Any) -> Sequence[Row[Any]]:
        async with self._database.connect() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(statement)).all()
        return rows


def owner(row: Row[Any]) -> Principal:
    """Who comes with the key of that row."""
    known = principal_of(row.name, row.scopes, row.hosts, row.credentials)
    limits = {"requests_per_minute": row.requests_per_minute, "queued_jobs": row.queued_jobs}
    return replace(known, key_id=row.id, **limits)
