"""How far a batch has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from jobs.host_patterns import HostPatterns, only
from jobs.tables import job, rollout

_SHOWN_AS = {"claimed": "started"}
"""A claimed change has its worker already: clients see it as started."""


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """A batch's jobs, counted."""

    batch_id: UUID
    total: int
    queued: int
    started: int
    finished: int
    failed: int
    cancelled: int
    errors: dict[str, int]
    """By error type."""
    created_at: datetime
    ended_at: datetime | None
    """The last job's end; None while some have not ended."""
    rollout: str | None = None
    """running, stopped or done, where the bulk goes on in waves."""

    @property
    def ended(self) -> bool:
        """True if every job has ended."""
        return self.queued + self.started == 0


async def find_progress(
    database: AsyncEngine, batch_id: UUID, hosts: HostPatterns | None = None
) -> BatchProgress | None:
    """The counts of one batch, of its jobs on these `hosts`; None if it has no jobs there."""
    wanted = (
        select(
            job.c.state,
            job.c.error_type,
            func.count().label("jobs"),
            func.min(job.c.created_at).label("created_at"),
            func.max(job.c.ended_at).label("ended_at"),
        )
        .where(job.c.batch_id == batch_id, *only(job.c.host, hosts))
        .group_by(job.c.state, job.c.error_type)
        .order_by(job.c.error_type)
    )
    async with database.connect() as connection:
        groups = (await connection.execute(wanted)).all()
        rolling = await connection.scalar(select(rollout.c.state).where(rollout.c.batch_id == batch_id))
    if not groups:
        return None
    counts = dict.fromkeys(("queued", "started", "finished", "failed", "cancelled"), 0)
    errors: dict[str, int] = {}
    for group in groups:
        counts[_SHOWN_AS.get(group.state, group.state)] += group.jobs
        if group.error_type is not None:
            errors[group.error_type] = errors.get(group.error_type, 0) + group.jobs
    ended = counts["queued"] + counts["started"] == 0
    return BatchProgress(
        batch_id=batch_id,
        total=sum(counts.values()),
        **counts,
        errors=errors,
        created_at=min(group.created_at for group in groups),
        ended_at=max(group.ended_at for group in groups) if ended else None,
        rollout=rolling,
    )
