"""Files that clients send and fetch: kept in PostgreSQL in sealed pieces, so that none is ever whole in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import Row, exists, func, insert, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncEngine

from drivers.errors import TooLarge
from jobs.host_patterns import HostPatterns, only
from jobs.seal import Seal
from jobs.tables import file_piece, job, stored_file

PIECE_BYTES = 512 * 1024
"""Of each piece but the last, in the clear."""

LONGEST_NAME = 255

_UNSENT_S = 86_400
"""A file that a client sends, and that gets no job within so many seconds, is given up."""

IS_KEPT = (
    stored_file.c.removed_at.is_(None) & func.coalesce(stored_file.c.expires_at > func.clock_timestamp(), true())
).label("kept")
"""Of a file's row: its content is there still."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is whole."""

    id: UUID
    name: str
    size_bytes: int
    sha256: str


class Storage:
    """The store as the API uses it."""

    def __init__(self, database: AsyncEngine, seal: Seal, max_bytes: int) -> None:
        """`database` commits each statement by itself. `max_bytes`: of one file."""
        self._database = database
        self._seal = seal
        self.max_bytes = max_bytes

    async def receive(self, name: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Keep what a client sends. Raises TooLarge and what `chunks` raises; then nothing of it is kept."""
        file_id = await self._new(shown_name(name))
        try:
            size, digest = await self._keep(file_id, chunks)
        except BaseException:
            await asyncio.shield(self._give_up(file_id))
            raise
        values = {"size_bytes": size, "sha256": digest, "state": "whole"}
        await self._execute(update(stored_file).where(stored_file.c.id == file_id).values(values))
        return StoredFile(file_id, shown_name(name), size, digest)

    async def remove(self, file_id: UUID) -> None:
        """Let the file go, unless it is still growing."""
        removable = (stored_file.c.id == file_id) & (stored_file.c.state != "growing")
        await self._execute(update(stored_file).where(removable).values(expires_at=func.clock_timestamp()))

    async def find(self, file_id: UUID, hosts: HostPatterns | None = None) -> Row[Any] | None:
        """The file's row, with `kept`: its content is there still; None: there is no such file of these `hosts`."""
        wanted = select(stored_file, IS_KEPT).where(stored_file.c.id == file_id)
        if hosts is not None:
            wanted = wanted.where(exists().where(job.c.id == stored_file.c.job_id, *only(job.c.host, hosts)))
        found: Row[Any] | None = (await self._execute(wanted)).one_or_none()
        return found

    async def content(self, file_id: UUID, size_bytes: int) -> AsyncIterator[bytes]:
        """The file's bytes. Raises LookupError if a piece was removed meanwhile."""
        first = 0
        while first < size_bytes:
            here = (file_piece.c.file_id == file_id) & (file_piece.c.first_byte == first)
            sealed = (await self._execute(select(file_piece.c.data).where(here))).scalar_one_or_none()
            if sealed is None:
                raise LookupError("a piece of the file was removed while it was read")
            data = await asyncio.to_thread(self._seal.open_bytes, sealed)
            yield data
            first += len(data)

    async def _give_up(self, file_id: UUID) -> None:
        gone = {"state": "broken", "expires_at": func.clock_timestamp()}
        await self._execute(update(stored_file).where(stored_file.c.id == file_id).values(gone))

    async def _new(self, name: str) -> UUID:
        values = {
            "id": func.netpulse.uuid7(func.clock_timestamp()),
            "direction": "upload",
            "name": name,
            "expires_at": func.clock_timestamp() + text(f"interval '{_UNSENT_S} seconds'"),
        }
        made: UUID = (await self._execute(insert(stored_file).values(values).returning(stored_file.c.id))).scalar_one()
        return made

    async def _keep(self, file_id: UUID, chunks: AsyncIterator[bytes]) -> tuple[int, str]:
        """Size and digest of what was kept."""
        digest, size, pending = sha256(), 0, bytearray()
        async for chunk in chunks:
            digest.update(chunk)
            pending += chunk
            if size + len(pending) > self.max_bytes:
                raise TooLarge(f"the file is larger than the {self.max_bytes:,} bytes that are allowed")
            while len(pending) >= PIECE_BYTES:
                size += await self._add(file_id, size, bytes(pending[:PIECE_BYTES]))
                del pending[:PIECE_BYTES]
        if pending:
            size += await self._add(file_id, size, bytes(pending))
        return size, digest.hexdigest()

    async def _add(self, file_id: UUID, first_byte: int, data: bytes) -> int:
        sealed = await asyncio.to_thread(self._seal.seal_bytes, data)
        values = {"file_id": file_id, "first_byte": first_byte, "data": sealed}
        await self._execute(insert(file_piece).values(values))
        return len(data)

    async def _execute(self, statement: Any) -> Any:
        async with self._database.connect() as connection:
            return await connection.execute(statement)


def shown_name(path: str) -> str:
    """The last part of a path as people may see it: no control characters, not too long, never empty."""
    last = path.replace("\\", "/").rstrip("/").rpartition("/")[2]
    clean = "".join(letter if letter.isprintable() else "_" for letter in last)
    return clean[:LONGEST_NAME] or "file"
