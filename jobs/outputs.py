"""What a command said on a device over time: its versions, and how each became the next."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.output_tables import output_text
from jobs.template_runner import TemplateRunner
from jobs.templating.errors import LimitExceeded

MOST_BYTES = 2_000_000
"""Of a text that is compared."""
MOST_ANSWER = 16_000_000
"""Characters of all texts and differences of one answer."""
MOST_S = 8.0
"""Then no further difference is begun."""

FIRST = "the first version on record"
GONE = "left out: a text is no longer kept"
TOO_LARGE = f"left out: a text is larger than {MOST_BYTES // 1_000_000} MB"
TOO_MUCH_WORK = "left out: the texts take too long to compare"
FULL = "left out: the answer is long enough; ask for fewer versions, or with until for earlier ones"

_VERSIONS = text(
    """
    SELECT c.device_key, c.changed_at AS first_seen_at, c.job_id AS first_job_id, c.digest, c.previous_digest,
           c.previous_job_id, c.previous_seen_at, coalesce(n.previous_seen_at, l.seen_at) AS last_seen_at,
           coalesce(n.previous_job_id, l.job_id) AS last_job_id, coalesce(octet_length(t.body), 0) AS size_bytes,
           octet_length(p.body) AS previous_size_bytes
      FROM netpulse.output_change AS c
      LEFT JOIN LATERAL (
           SELECT x.previous_seen_at, x.previous_job_id FROM netpulse.output_change AS x
            WHERE x.host = c.host AND x.command = c.command AND x.device_key = c.device_key
              AND (x.changed_at, x.id) > (c.changed_at, c.id) ORDER BY x.changed_at, x.id LIMIT 1) AS n ON true
      LEFT JOIN netpulse.output_latest AS l ON l.device_key = c.device_key AND l.command = c.command
      LEFT JOIN netpulse.output_text AS t ON t.digest = c.digest
      LEFT JOIN netpulse.output_text AS p ON p.digest = c.previous_digest
     WHERE c.host = :host AND c.command = :command
       AND (CAST(:device_key AS text) IS NULL OR c.device_key = :device_key)
       AND c.changed_at >= coalesce(:since, timestamptz '-infinity')
       AND c.changed_at < coalesce(:until, timestamptz 'infinity')
     ORDER BY c.changed_at DESC, c.id DESC LIMIT :limit
    """
)


@dataclass(frozen=True)
class HistoryFilter:
    """Which versions: those that began in this time."""

    host: str
    command: str
    device_key: str | None = None
    """Only on this port of the host."""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A version, and how it differs from the one before it."""

    version: Row[Any]
    difference: str | None
    """Unified; None: there is none here, and `note` says why."""
    note: str | None
    text: str | None


class OutputHistory:
    """Reads versions, and compares them in the pool of children that runs what may take for ever."""

    def __init__(self, database: AsyncEngine, templates: TemplateRunner) -> None:
        self._database = database
        self._templates = templates

    async def find(self, where: HistoryFilter, limit: int, *, with_text: bool) -> list[Compared]:
        """The newest `limit` versions that match, newest first. Raises NoChildFree."""
        values = {name: getattr(where, name) for name in ("host", "command", "device_key", "since", "until")}
        async with self._database.connect() as connection:
            versions = (await connection.execute(_VERSIONS, values | {"limit": limit})).all()
        return await self._compared(versions, with_text=with_text)

    async def _compared(self, versions: Sequence[Row[Any]], *, with_text: bool) -> list[Compared]:
        found, room, until = [], MOST_ANSWER, time.monotonic() + MOST_S
        for version in versions:
            texts = await self._texts(version) if room > 0 else {}
            after = texts.get(version.digest) if with_text else None
            room -= len(after or "")
            difference, note = await self._difference(version, texts, room, until)
            room -= len(difference or "")
            found.append(Compared(version, difference, note, after))
        return found

    async def _texts(self, version: Row[Any]) -> dict[bytes | None, str]:
        wanted = [digest for digest in (version.digest, version.previous_digest) if digest is not None]
        async with self._database.connect() as connection:
            rows = await connection.execute(
                select(output_text.c.digest, output_text.c.body).where(output_text.c.digest.in_(wanted))
            )
            return {None: "", **{row.digest: row.body for row in rows}}

    async def _difference(
        self, version: Row[Any], texts: dict[bytes | None, str], room: int, until: float
    ) -> tuple[str | None, str | None]:
        """The difference, or why there is none."""
        if (reason := _obstacle(version, texts, room, until)) is not None:
            return None, reason
        before = _name(version.previous_job_id, version.previous_seen_at)
        after = _name(version.first_job_id, version.first_seen_at)
        sides = texts[version.previous_digest], texts[version.digest]
        try:
            return await self._templates.difference(*sides, (before, after)), None
        except LimitExceeded:
            return None, TOO_MUCH_WORK


def _obstacle(version: Row[Any], texts: dict[bytes | None, str], room: int, until: float) -> str | None:
    if version.previous_job_id is None:
        return FIRST
    if max(version.size_bytes, version.previous_size_bytes or 0) > MOST_BYTES:
        return TOO_LARGE
    if room <= 0:
        return FULL
    if version.previous_digest not in texts or version.digest not in texts:
        return GONE
    return TOO_MUCH_WORK if time.monotonic() > until else None


def _name(job_id: object, at: datetime) -> str:
    """How a side of the difference is called."""
    return f"job {job_id}\t{at.isoformat()}"
