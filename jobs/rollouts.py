"""Bulks that go on in waves, and stop by themselves (advance_rollouts.sql)."""

from __future__ import annotations

from math import ceil
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from drivers.base import Arguments
from jobs.tables import rollout


class Rollout(Arguments):
    """How a bulk proceeds: each wave begins when all jobs of the one before have ended."""

    batch_size: int | None = Field(None, ge=1)
    """Devices in a wave; exactly one of `batch_size` and `percent`."""
    percent: float | None = Field(None, gt=0, le=100)
    """The same as a share of the devices, rounded up."""
    max_failures: int = Field(0, ge=0)
    """Failed jobs that are put up with. One more, and what has not begun is cancelled."""

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.batch_size is None) == (self.percent is None):
            raise ValueError("exactly one of batch_size and percent is needed")
        return self

    def wave_size(self, devices: int) -> int:
        """How many of `devices` go at once."""
        return self.batch_size or ceil(devices * (self.percent or 100) / 100)


async def begin(connection: AsyncConnection, batch_id: UUID, wanted: Rollout) -> None:
    """Put the rollout of a bulk on record, before its first job; open it again for the rest of one that broke off."""
    row = insert(rollout).values(batch_id=batch_id, max_failures=wanted.max_failures)
    again = {"state": "running", "accepting": True, "ended_at": None}
    ended = rollout.c.state != "running"
    await connection.execute(row.on_conflict_do_update(index_elements=["batch_id"], set_=again, where=ended))


async def accepted(connection: AsyncConnection, batch_id: UUID) -> None:
    """All jobs of the bulk are there: the waves after the first may begin in their turn."""
    await connection.execute(update(rollout).where(rollout.c.batch_id == batch_id).values(accepting=False))
