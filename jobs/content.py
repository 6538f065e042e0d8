"""Content of stored files, read and written by a session's thread while PostgreSQL is asked in the event loop."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as NotYet
from typing import Any, TypeVar
from uuid import UUID

from drivers.base import Session
from drivers.errors import LeaseLost, SessionLost, TooLarge
from jobs.queue import JobQueue
from jobs.storage import PIECE_BYTES
from jobs.world import World

T = TypeVar("T")

LOOK_S = 0.05
"""While PostgreSQL is away, the thread looks this often whether it has to go on waiting."""


class Loop:
    """The way from a session's thread to the event loop."""

    def __init__(self, world: World, session: Session) -> None:
        self._loop = asyncio.get_running_loop()
        self._guard = world.guard
        self.session = session
        """The one whose thread waits; an aborted one waits no more."""

    def wait(self, question: Coroutine[Any, Any, T]) -> T:
        """Its answer. Raises LeaseLost if the worker may not go on, SessionLost if the session is closed meanwhile."""
        asked = asyncio.run_coroutine_threadsafe(question, self._loop)
        try:
            while True:
                try:
                    return asked.result(LOOK_S)
                except NotYet:
                    if asked.done():
                        raise
                    self._guard()
                    if not self.session.alive():
                        raise SessionLost("the session was closed while PostgreSQL was awaited") from None
        finally:
            asked.cancel()


class KeptFile:
    """A `drivers.base.Source`: a file that a client sent."""

    def __init__(self, loop: Loop, world: World, file_id: UUID, size: int, sha256: str) -> None:
        self.size = size
        self.sha256 = sha256
        self.furthest = 0
        """The end of what was read so far."""
        self._loop = loop
        self._world = world
        self._id = file_id
        self._first, self._piece = 0, b""

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on, within one piece. Raises LeaseLost, SessionLost."""
        if offset >= self.size:
            return b""
        if not self._first <= offset < self._first + len(self._piece):
            self._load(offset)
        start = offset - self._first
        data = self._piece[start : start + size]
        self.furthest = max(self.furthest, offset + len(data))
        return data

    def _load(self, offset: int) -> None:
        first = offset - offset % PIECE_BYTES
        sql = "SELECT data FROM netpulse.file_piece WHERE file_id = $1 AND first_byte = $2"
        sealed = self._loop.wait(self._world.queue.ask(sql, self._id, first))
        if sealed is None:  # an upload's pieces stay until its job ends: it was ended by somebody else
            raise LeaseLost("the file was removed: its job is no longer this worker's")
        self._first, self._piece = first, self._world.seal.open_bytes(sealed)


class GrowingFile:
    """A `drivers.base.Sink`: the file that a job downloads. Pieces are stored as they fill, the last by `finish`."""

    def __init__(self, loop: Loop, world: World, job_id: UUID) -> None:
        self._loop = loop
        self._world = world
        self._job_id = job_id
        self._digest = hashlib.sha256()
        self._stored = 0
        self._pending = bytearray()
        self.size = 0
        """Bytes kept so far, those in memory included."""
        self.sha256 = self._digest.hexdigest()
        """Of these bytes, hexadecimal."""

    def append(self, data: bytes) -> None:
        """Keep more. Raises LeaseLost, SessionLost, TooLarge."""
        limit = self._world.storage.max_bytes
        if self.size + len(data) > limit:
            raise TooLarge(f"the file is larger than the {limit:,} bytes that this site keeps")
        self._take(data)
        while len(self._pending) >= PIECE_BYTES:
            self._store(PIECE_BYTES)

    def clear(self) -> None:
        """Drop what was kept. Raises LeaseLost, SessionLost."""
        self._ask("SELECT netpulse.clear_download($1, $2)")
        self._digest, self._stored, self.size = hashlib.sha256(), 0, 0
        self.sha256 = self._digest.hexdigest()
        self._pending.clear()

    def finish(self) -> None:
        """It is whole. Raises what `append` raises."""
        if self._pending:
            self._store(len(self._pending))
        complete = "SELECT netpulse.complete_download($1, $2, $3, $4)"
        self._ask(complete, self.sha256, self._world.storage.retention_s)

    def resume(self, file_id: UUID) -> None:
        """Go on with what an earlier worker kept. Raises LeaseLost, SessionLost, SealBroken."""
        sql = "SELECT data FROM netpulse.file_piece WHERE file_id = $1 AND first_byte = $2"
        while sealed := self._loop.wait(self._world.queue.ask(sql, file_id, self._stored)):
            self._take(self._world.seal.open_bytes(sealed))
            if len(self._pending) < PIECE_BYTES:
                return
            self._stored += PIECE_BYTES
            self._pending.clear()

    def _take(self, data: bytes) -> None:
        self._digest.update(data)
        self.sha256 = self._digest.hexdigest()
        self._pending += data
        self.size += len(data)

    def _store(self, size: int) -> None:
        data = bytes(self._pending[:size])
        sealed = self._world.seal.seal_bytes(data)
        self._ask("SELECT netpulse.append_piece($1, $2, $3, $4, $5)", self._stored, size, sealed)
        self._stored += size
        del self._pending[:size]

    def _ask(self, sql: str, *values: Any) -> None:
        queue: JobQueue = self._world.queue
        if not self._loop.wait(queue.ask(sql, queue.worker_id, self._job_id, *values)):
            raise LeaseLost("the job was taken away from this worker")
