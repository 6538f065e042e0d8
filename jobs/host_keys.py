"""The keys and certificates with which devices prove who they are: on record in PostgreSQL, asked by threads."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, TypeAlias

import asyncpg
import structlog
from sqlalchemy import Row, delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from drivers.base import AnyKey, HostKeyPolicy, Target, Trust, device_key
from drivers.errors import HostKeyMismatch, Unreachable
from jobs.addresses import host_in, is_at
from jobs.database import LOST, Pool
from jobs.host_patterns import HostPatterns, only
from jobs.queue import until_answered
from jobs.tables import host_key

log = structlog.get_logger()

Rows: TypeAlias = Sequence[asyncpg.Record]

PATIENCE_S = 10.0
"""A login waits for PostgreSQL's answer at most so long."""

# stale: for a day, nobody has noted that it was seen
_FIND = """
    SELECT kind, fingerprint, coalesce(last_seen_at < now() - interval '1 day', true) AS stale
      FROM netpulse.host_key WHERE address = $1 ORDER BY kind"""
_LEARN = "SELECT netpulse.learn_host_key($1, $2, $3)"
_SEEN = """
    UPDATE netpulse.host_key SET last_seen_at = now(), first_seen_at = coalesce(first_seen_at, now())
     WHERE address = $1 AND kind = $2 AND fingerprint = $3"""


class HostKeys:
    """What is on record, for the logins of one worker. Belongs to the event loop that asks for `trust`."""

    def __init__(self, database: Pool, policy: HostKeyPolicy, *, patience_s: float = PATIENCE_S) -> None:
        """`policy`: the site's, for connections that have none of their own."""
        self._database = database
        self._policy = policy
        self._patience_s = patience_s

    def trust(self, target: Target) -> Trust:
        """What the sessions of `target` ask. The keys of its device are being looked up when this returns."""
        policy = getattr(target.connection, "host_key_policy", None) or self._policy
        if policy == "off":
            return AnyKey()
        trust = RecordedKeys(self._database, learns=policy == "tofu", patience_s=self._patience_s)
        trust.look_up(target.device_key)
        return trust


class RecordedKeys:
    """A `drivers.base.Trust` on the table `host_key`. Made in the event loop; `known` and `check` are for threads."""

    def __init__(self, database: Pool, *, learns: bool, patience_s: float) -> None:
        """`learns`: the first key that is seen of an address is put on record."""
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._learns = learns
        self._patience_s = patience_s
        self._found: dict[str, Future[Rows]] = {}

    def look_up(self, address: str) -> Future[Rows]:
        """Begin to ask for the keys of `address`, unless that was done; returns at once. Any thread."""
        if address not in self._found:
            self._found[address] = self._ask(_FIND, address)
        return self._found[address]

    def known(self, address: str) -> Sequence[str]:
        """See `Trust.known`. Raises Unreachable when PostgreSQL is away."""
        return [key["kind"] for key in self._answer(self.look_up(address), address)]

    def check(self, address: str, kind: str, fingerprint: str) -> None:
        """See `Trust.check`. Raises Unreachable too, when PostgreSQL is away."""
        keys = self._answer(self.look_up(address), address)
        del self._found[address]  # a session that connects again hears of what has changed since
        for key in keys:
            if (key["kind"], key["fingerprint"]) == (kind, fingerprint):
                if key["stale"]:
                    self._ask(_SEEN, address, kind, fingerprint)  # nobody waits for it
                return
        if not keys and not self._learns:
            raise HostKeyMismatch(
                f"no key of {address} is on record, and none is taken on trust: POST /host-key enters one "
                f"(it presented {kind} {fingerprint})"
            )
        if keys or not self._learn(address, kind, fingerprint):
            raise HostKeyMismatch(
                f"{address} presented another key ({kind} {fingerprint}) than the one on record; if that is right, "
                "DELETE /host-key clears the old one"
            )

    def _learn(self, address: str, kind: str, fingerprint: str) -> bool:
        """Put it on record if there is nothing still; False if another worker was first, with another key."""
        return bool(self._answer(self._ask(_LEARN, address, kind, fingerprint), address)[0][0])

    def _ask(self, sql: str, *values: str) -> Future[Rows]:
        async def ask() -> Rows:
            async with asyncio.timeout(self._patience_s):
                rows: Rows = await until_answered(lambda: self._database.fetch(sql, *values))
                return rows

        return asyncio.run_coroutine_threadsafe(ask(), self._loop)

    def _answer(self, asked: Future[Rows], address: str) -> Rows:
        try:
            return asked.result(self._patience_s + 1)
        except (*LOST, CancelledError) as error:
            log.warning("host_keys.unknown", device=address, error=type(error).__name__)
            raise Unreachable(
                f"PostgreSQL, which knows what key {address} must have, is out of reach; no password was sent"
            ) from error


async def find_host_keys(
    database: AsyncEngine,
    host: str | None,
    limit: int,
    after: tuple[str, str] | None = None,
    hosts: HostPatterns | None = None,
) -> Sequence[Row[Any]]:
    """The keys on record, of `host` or of all these `hosts`, by address and kind; those behind `after`."""
    wanted = select(host_key).order_by(host_key.c.address, host_key.c.kind).limit(limit)
    wanted = wanted.where(*only(host_in(host_key.c.address), hosts))
    if host is not None:
        wanted = wanted.where(is_at(host_key.c.address, host))
    if after is not None:
        wanted = wanted.where(tuple_(host_key.c.address, host_key.c.kind) > tuple_(*after))
    async with database.connect() as connection:
        return (await connection.execute(wanted)).all()


async def enter_host_key(database: AsyncEngine, address: str, kind: str, fingerprint: str) -> Row[Any]:
    """Put a key on record, in place of another one of its kind; returns its row."""
    given = {"fingerprint": fingerprint, "source": "entered", "first_seen_at": None, "last_seen_at": None}
    entering = insert(host_key).values(address=address, kind=kind, **given)
    replacing = entering.on_conflict_do_update(index_elements=["address", "kind"], set_=given).returning(host_key)
    async with database.connect() as connection:
        row: Row[Any] = (await connection.execute(replacing)).one()
    return row


async def clear_host_keys(database: AsyncEngine, host: str, port: int | None) -> int:
    """Forget the keys of `host`, at one port or at all; returns how many those were."""
    there = is_at(host_key.c.address, host) if port is None else host_key.c.address == device_key(host, port)
    async with database.connect() as connection:
        return (await connection.execute(delete(host_key).where(there))).rowcount
