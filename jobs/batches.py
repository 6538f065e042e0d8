"""Accepting a bulk: a transaction for every thousand members, and no request kept waiting meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from uuid import UUID, uuid4, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from drivers.base import Strategy
from jobs import rollouts
from jobs.audit import AuditEvent
from jobs.authorisation import authorise
from jobs.away import is_database_away
from jobs.bulk import Bulk
from jobs.invalid import RequestInvalid
from jobs.limits import require_room
from jobs.principal import Forbidden
from jobs.requests import Request
from jobs.submit import Accepted, Intake, KeyReused, Refused, Submission, insert, new_job

PART = 1000
"""Devices in one transaction."""

PART_CHARACTERS = 8 * 2**20
"""A part whose jobs are larger ends earlier: the service holds one part in memory, not the whole bulk."""

SLICE_S = 0.01
"""Other requests wait for a bulk so long at the most."""

_BATCHES = UUID("6ba7a5d1-6f6c-5e0b-9c0e-1f0a5d6e7b52")
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 1))")
_FIRST = text(
    "SELECT request_hash, created_at < now() - interval '24 hours' AS old"
    " FROM netpulse.job WHERE batch_id = :id ORDER BY id LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class _Member:
    """A member on its way into the queue."""

    index: int
    host: str | None
    job: str
    """JSON of a netpulse.new_job."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A member that was not accepted, or may not have been."""

    index: int
    host: str | None
    reason: str
    forbidden: bool = False
    """The key does not allow it."""


@dataclass
class Batch:
    """What became of a bulk."""

    id: UUID
    accepted: list[tuple[int, Accepted]] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    warnings: dict[str, None] = field(default_factory=dict)
    """Sentences about arguments without effect, each once."""
    sample: Request | None = None
    """One of the valid requests: they share driver, options and zone."""


class _Breath:
    """Lets the event loop go on between the members."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def take(self) -> None:
        if time.perf_counter() - self._since > SLICE_S:
            await asyncio.sleep(0)
            self._since = time.perf_counter()


class BulkSubmission:
    """One bulk on its way into the queue."""

    def __init__(self, intake: Intake, bulk: Bulk, submission: Submission) -> None:
        self._intake = intake
        self._bulk = bulk
        self._asked = submission
        self._breath = _Breath()
        self._name = f"{submission.principal.name}\x1f{submission.idempotency_key}"
        self._batch = Batch(uuid4())
        self._next = 0
        self._rollout = bulk.options.rollout
        self._members = 0

    async def run(self, slots: asyncio.Semaphore) -> Batch:
        """Queue every member that can be, at most PART in a transaction; `slots` bounds the parts at one time.

        Raises TooManyQueued and KeyReused before anything is queued, and what SQLAlchemy raises when PostgreSQL is
        away while nothing is accepted yet. When it goes away later, the members that are left are among the failed.
        """
        await require_room(
            self._intake.database, self._asked.principal, self._intake.queued_jobs, len(self._bulk.devices)
        )
        if self._asked.idempotency_key is not None:
            await self._recognise()
        async with slots:
            part = await self._collect()
        while part:
            async with slots:
                following = asyncio.create_task(self._collect())  # while PostgreSQL works on this one
                try:
                    accepted = await self._accept(part)
                except BaseException:
                    following.cancel()
                    raise
                part = await following
            if not accepted:
                self._leave(part)
                break
        if self._rollout is not None:
            await self._end_acceptance()
        return self._batch

    async def _end_acceptance(self) -> None:
        try:
            async with self._intake.database.connect() as connection:
                await rollouts.accepted(connection, self._batch.id)
        except Exception as error:  # only the predicate knows which ones mean that: then the rollout goes on later
            if not is_database_away(error):
                raise

    async def _recognise(self) -> None:
        """Settle the batch's id and the digest of the whole body; the same body meets the same batch for a day."""
        texts = []
        for piece in self._bulk.texts():
            texts.append(piece)
            await self._breath.take()
        hashes = self._intake.seal.digests("\n".join(texts))
        self._asked = replace(self._asked, request_hashes=hashes)
        async with self._intake.database.connect() as connection:
            self._batch.id = await self._batch_id(connection)

    async def _batch_id(self, connection: AsyncConnection) -> UUID:
        for generation in count():
            batch_id = uuid5(_BATCHES, f"{self._name}\x1f{generation}")
            first = (await connection.execute(_FIRST, {"id": batch_id})).one_or_none()
            if first is None:
                return batch_id
            if not first.old:
                self._require_same(first.request_hash)
                return batch_id
        raise AssertionError

    def _require_same(self, request_hash: str) -> None:
        if request_hash not in (self._asked.request_hashes or ()):
            raise KeyReused

    async def _collect(self) -> list[_Member]:
        """The next valid members; the others go to the failed."""
        part: list[_Member] = []
        size = 0
        while self._next < len(self._bulk.devices) and len(part) < PART and size < PART_CHARACTERS:
            try:
                member = self._member(self._next)
                part.append(member)
                size += len(member.job)
            except (RequestInvalid, Forbidden) as error:
                self._fail(self._next, str(error), forbidden=isinstance(error, Forbidden))
            self._next += 1
            await self._breath.take()
        return part

    def _member(self, index: int) -> _Member:
        request = self._bulk.request(index)
        authorise(self._asked.principal, request, self._intake.host_keys)
        self._batch.sample = request
        self._batch.warnings.update(dict.fromkeys(request.warnings))
        key = self._asked.idempotency_key
        known = replace(
            self._asked, idempotency_key=key and f"{key}#{index}", batch_id=self._batch.id, wave=self._wave()
        )
        self._members += 1
        return _Member(index, self._bulk.host(index), json.dumps(new_job(self._intake, request, known)))

    def _wave(self) -> int | None:
        """Which wave of the rollout the next member belongs to."""
        if self._rollout is None:
            return None
        return self._members // self._rollout.wave_size(len(self._bulk.devices))

    async def _accept(self, part: Sequence[_Member]) -> bool:
        """Queue one part. False: PostgreSQL went away, with members accepted before."""
        try:
            jobs = await self._placed(part)
            answers = await self._insert(jobs)
        except Exception as error:  # only the predicate knows which ones mean that
            if not self._batch.accepted or not is_database_away(error):
                raise
            self._doubt(part)
            return False
        for member, answer in zip(part, answers, strict=True):
            if isinstance(answer, Refused):
                self._fail(member.index, f"{answer}.")
            else:
                self._batch.accepted.append((member.index, answer))
        return True

    async def _placed(self, part: Sequence[_Member]) -> list[str]:
        """The jobs, each with the worker that should hold its device if nobody does."""
        assert self._batch.sample is not None
        if self._batch.sample.strategy != Strategy.PINNED:
            return [member.job for member in part]
        zone = self._intake.zone_of(self._batch.sample)
        workers = await self._intake.candidates.propose(zone, len(part))
        pairs = zip(part, workers, strict=True)
        return [f'{member.job[:-1]}, "preferred_worker": {json.dumps(worker)}}}' for member, worker in pairs]

    async def _insert(self, jobs: Sequence[str]) -> list[Accepted | Refused]:
        """One transaction. With a key, bulks that have the same one pass here one by one. Raises KeyReused."""
        async with self._intake.database.connect() as connection:
            await connection.execution_options(isolation_level="READ COMMITTED")
            async with connection.begin():
                if self._asked.idempotency_key is not None:
                    await connection.execute(_LOCK, {"name": self._name})
                    first = (await connection.execute(_FIRST, {"id": self._batch.id})).one_or_none()
                    if first is not None:
                        self._require_same(first.request_hash)
                if self._rollout is not None:
                    await rollouts.begin(connection, self._batch.id, self._rollout)
                return await insert(connection, jobs, self._event())

    def _event(self) -> AuditEvent | None:
        """What goes on record with the first part of which anything is new."""
        if self._asked.event is None or any(job.created for _, job in self._batch.accepted):
            return None
        return replace(self._asked.event, batch_id=self._batch.id, detail={"devices": len(self._bulk.devices)})

    def _doubt(self, part: Sequence[_Member]) -> None:
        """The reply to `part` is lost."""
        again = "repeat the request: with the same Idempotency-Key nothing is queued twice"
        if self._asked.idempotency_key is None:
            again = f"GET /job?batch={self._batch.id} tells"
        for member in part:
            self._fail(member.index, f"PostgreSQL went away: it is not known whether this was accepted; {again}.")

    def _leave(self, part: Sequence[_Member]) -> None:
        """`part`, and what follows it, were not sent."""
        left = [member.index for member in part]
        for index in [*left, *range(self._next, len(self._bulk.devices))]:
            self._fail(index, "PostgreSQL went away before: this was not accepted; send it again.")

    def _fail(self, index: int, reason: str, *, forbidden: bool = False) -> None:
        self._batch.failed.append(Failed(index, self._bulk.host(index), reason, forbidden))
