"""How many requests a key may make: a limit over all API processes, most of whose requests ask nobody."""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from app.envelope import Problem
from jobs.principal import Principal

SHARE = 20
"""A process takes at most this part of a minute's requests at a time."""

FRESH_S = 1.0
"""What it has not spent after so long goes back; and a refusal is not asked about again for so long."""

_TAKE = text("SELECT * FROM netpulse.take_requests(:key, :per_minute, :wanted, :unspent)")


@dataclass
class _Share:
    """What this process may still spend of a key's requests, until `until` (of the monotonic clock)."""

    left: int = 0
    size: int = 0
    until: float = 0
    next_at: float = 0
    """There is none before."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def spend(self) -> bool:
        """Whether there was one left."""
        if self.left and time.monotonic() < self.until:
            self.left -= 1
            return True
        return False

    def wanted(self, per_minute: int) -> int:
        """How many to take next: twice as many as last time if those were spent in time, else one.

        So who asks seldom does not take what other processes' clients could use.
        """
        busy = not self.left and time.monotonic() < self.until
        return max(1, min(2 * self.size if busy else 1, per_minute // SHARE))


class Limits:
    """Lets each key make so many requests per minute. PostgreSQL counts; see take_requests.sql for the rule."""

    def __init__(self, database: AsyncEngine, per_minute: int) -> None:
        """`per_minute`: of keys without a limit of their own; 0: none."""
        self._database = database
        self._per_minute = per_minute
        self._shares: dict[str, _Share] = defaultdict(_Share)

    async def admit(self, principal: Principal) -> None:
        """Count one request. Raises Problem 429 when there are too many, and what SQLAlchemy raises."""
        own = principal.requests_per_minute
        per_minute = self._per_minute if own is None else own
        if not per_minute:
            return
        key = principal.key_id or principal.name
        share = self._shares[key]
        if share.spend():
            return
        async with share.turn:  # the first one takes for all who wait here
            if share.spend():
                return
            if time.monotonic() >= min(share.next_at, share.until):
                await self._take(share, key, per_minute)
                if share.spend():
                    return
        raise _too_many(principal, per_minute, share.next_at - time.monotonic())

    async def _take(self, share: _Share, key: str, per_minute: int) -> None:
        values = {"key": key, "per_minute": per_minute, "wanted": share.wanted(per_minute), "unspent": share.left}
        share.left = 0  # whether the answer arrives or not, they are no more ours
        async with self._database.connect() as connection:
            taken = (await connection.execute(_TAKE, values)).one()
        now = time.monotonic()
        share.left = share.size = taken.granted
        share.until, share.next_at = now + FRESH_S, now + taken.wait_s


def _too_many(principal: Principal, per_minute: int, wait_s: float) -> Problem:
    seconds = max(1, math.ceil(wait_s))
    message = f"The key {principal.name!r} may make {per_minute} requests per minute; try again in {seconds} s."
    return Problem(429, message, headers={"Retry-After": str(seconds)})
