"""The workers and the sessions that they hold: looking, stopping, letting go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, cast, exists, or_, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.host_patterns import HostPatterns, only
from jobs.tables import device, session, worker

_STOP = text("SELECT netpulse.stop_workers(:ids, :force)")
_RELEASE = text("SELECT netpulse.ask_release(:host)")


async def find_workers(
    database: AsyncEngine,
    *,
    name: str | None = None,
    node: str | None = None,
    queue: str | None = None,
    host: str | None = None,
) -> Sequence[Row[Any]]:
    """The workers that are not dead, oldest first; with `host`, the ones that hold a device there."""
    wanted = select(worker).where(*_chosen(node, queue)).order_by(worker.c.id)
    if name is not None:
        wanted = wanted.where(worker.c.name == name)
    if host is not None:
        wanted = wanted.where(exists().where(device.c.worker_id == worker.c.id, device.c.host == host))
    async with database.connect() as connection:
        return (await connection.execute(wanted)).all()


def _chosen(node: str | None, queue: str | None) -> Iterable[ColumnElement[bool]]:
    """Not dead; `queue`: one of `queues_of`."""
    yield worker.c.state != "dead"
    if node is not None:
        yield worker.c.node == node
    if queue is not None:
        yield or_("w:" + cast(worker.c.id, Text) == queue, "fifo:" + worker.c.zone == queue)


def queues_of(row: Row[Any]) -> list[str]:
    """The queues that a worker serves: its own, and its zone's."""
    return [f"w:{row.id}", f"fifo:{row.zone}"]


async def stop_workers(database: AsyncEngine, ids: Sequence[int], *, force: bool) -> list[int]:
    """Let workers drain and end, or with `force` end at once; returns the ids of those that were not dead."""
    async with database.connect() as connection:
        stopping: list[int] = (await connection.execute(_STOP, {"ids": list(ids), "force": force})).scalar_one()
    return stopping


async def ask_release(database: AsyncEngine, host: str) -> list[str]:
    """Let the holders of `host`'s devices close their idle sessions there; returns the devices' keys."""
    async with database.connect() as connection:
        keys: list[str] = (await connection.execute(_RELEASE, {"host": host})).scalar_one()
    return keys


async def find_sessions(
    database: AsyncEngine,
    *,
    host: str | None,
    node: str | None,
    queue: str | None,
    limit: int,
    hosts: HostPatterns | None = None,
) -> Sequence[Row[Any]]:
    """The held sessions on these `hosts` as last reported, in the order of their devices."""
    wanted = (
        select(session, worker.c.name.label("worker"))
        .join(worker, worker.c.id == session.c.worker_id)
        .where(*_chosen(node, queue), *only(session.c.host, hosts))
        .order_by(session.c.device_key, session.c.id)
        .limit(limit)
    )
    if host is not None:
        wanted = wanted.where(session.c.host == host)
    async with database.connect() as connection:
        return (await connection.execute(wanted)).all()
