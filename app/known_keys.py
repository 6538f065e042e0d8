"""The keys that clients came with a moment ago, so that not every request asks PostgreSQL who it is."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from structlog import get_logger

from jobs.away import is_database_away
from jobs.key_text import is_same
from jobs.keys import NOTED_S, Keys, owner
from jobs.principal import Principal

log = get_logger()

FRESH_S = 2.0
"""What was read is believed so long: a key that is revoked is refused everywhere within that time."""

PAUSE_S = 0.02
"""Between two look-ups, each of all the keys that wait for one: whoever guesses causes fifty a second, no more."""

MOST_SEEN = 10_000
"""Ids, known and unknown, that are remembered."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key as it was read. Times are those of `time.monotonic`."""

    principal: Principal
    digest: str
    previous_digest: str | None
    previous_until: float
    expires_at: float
    revoked: bool

    def complaint(self, digest: str) -> str | None:
        """Why the key with that digest does not count; None: it does."""
        now = time.monotonic()
        is_previous = is_same(digest, self.previous_digest)
        if not is_same(digest, self.digest) and not is_previous:
            return "is not known"
        if self.revoked:
            return "was revoked"
        if now >= self.expires_at:
            return "has expired"
        if is_previous and now >= self.previous_until:
            return "was replaced by another one"
        return None


@dataclass(frozen=True, slots=True)
class _Seen:
    key: KnownKey | None
    read_at: float


class KnownKeys:
    """Looks keys up by their ids: one query at a time, for all that wait for one."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._wanted: dict[str, asyncio.Future[KnownKey | None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._noted: dict[str, float] = {}
        self._noting: set[asyncio.Task[None]] = set()

    async def find(self, key_id: str, read_after: float) -> KnownKey | None:
        """The key as it was after that moment; None: there is none.

        Raises what SQLAlchemy raises when PostgreSQL is away.
        """
        seen = self._seen.get(key_id)
        if seen is not None and seen.read_at >= read_after:
            return seen.key
        if key_id not in self._wanted:
            self._wanted[key_id] = asyncio.get_running_loop().create_future()
        answer = self._wanted[key_id]
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return await asyncio.shield(answer)  # others may wait for it too

    def note_use(self, key_id: str) -> None:
        """Have it noted that the key is in use, if that was not done a moment ago. Nobody waits for it."""
        now = time.monotonic()
        if now - self._noted.get(key_id, -NOTED_S) >= NOTED_S:
            self._noted[key_id] = now
            task = asyncio.create_task(self._note(key_id))
            self._noting.add(task)
            task.add_done_callback(self._noting.discard)

    async def close(self) -> None:
        """Stop looking and noting."""
        tasks = [*self._noting, *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            await self._answer(wanted)
            await asyncio.sleep(PAUSE_S)

    async def _answer(self, wanted: Mapping[str, asyncio.Future[KnownKey | None]]) -> None:
        read_at = time.monotonic()
        try:
            rows = await self._keys.with_ids(list(wanted))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for the answer must hear of it
            for answer in wanted.values():
                answer.set_exception(error)
                answer.exception()  # whose client went away meanwhile, nobody asks
            return
        found = {row.id: _known(row, read_at) for row in rows}
        for key_id, answer in wanted.items():
            self._remember(key_id, _Seen(found.get(key_id), read_at))
            answer.set_result(found.get(key_id))

    def _remember(self, key_id: str, seen: _Seen) -> None:
        self._seen[key_id] = seen
        self._seen.move_to_end(key_id)
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)

    async def _note(self, key_id: str) -> None:
        try:
            await self._keys.note_use(key_id)
        except Exception as error:  # only the predicate knows which ones mean that: then a minute later
            if not is_database_away(error):
                raise
            log.warning("keys.use_not_noted", error=type(error).__name__)


def _known(row: Row[Any], read_at: float) -> KnownKey:
    """Its moments are told from PostgreSQL's clock, so that all processes agree on them."""
    return KnownKey(
        principal=owner(row),
        digest=row.digest,
        previous_digest=row.previous_digest,
        previous_until=_moment(row.previous_left_s, read_at),
        expires_at=_moment(row.left_s, read_at),
        revoked=row.revoked_at is not None,
    )


def _moment(left_s: float | None, read_at: float) -> float:
    return float("inf") if left_s is None else read_at + float(left_s)
