"""How a job is queued and run: `options` of a request."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from drivers.base import Arguments, Strategy
from jobs.checks import Checks
from jobs.parsing import Parsing
from jobs.rendering import Rendering
from jobs.rollouts import Rollout
from jobs.settings import ZONE
from jobs.webhooks.options import Webhook


class Options(Arguments):
    """How a job is queued and run. Each is also accepted at the top level of the body."""

    queue_strategy: Strategy | None = Field(
        None,
        description="pinned: on the worker that holds the device's session, in order; fifo: on any worker, on a fresh "
        "connection, in parallel. By default the driver decides.",
    )
    ttl: float = Field(300, gt=0, le=604_800, description="Seconds that the job may wait; then it fails with Expired.")
    execution_timeout: float = Field(300, gt=0, le=86_400, description="Seconds that the job may run.")
    priority: int = Field(0, ge=-1000, le=1000, description="Higher first.")
    retry: int = Field(0, ge=0, le=10, description="Further attempts, only after errors where the device saw nothing.")
    zone: str | None = Field(
        None, pattern=ZONE, description="Part of the network whose workers run the job. By default the API's own."
    )
    dry_run: bool = Field(False, description="Changes only: show the difference, change nothing.")
    checks: Checks | None = Field(None, description="Changes only: what must hold before and after.")
    rollout: Rollout | None = Field(None, description="Bulks only: go on in waves, and stop when too many jobs fail.")
    rendering: Rendering | None = Field(None, description="A template makes what is sent, see Rendering.")
    parsing: Parsing | None = Field(None, description="Queries only: make records of what the device says.")
    record: Literal["full", "metadata"] = Field(
        "full",
        description="metadata: keep no text of what the device says, nor what is made of it, only which commands ran, "
        "how each ended, how long it took and how much was said.",
    )
    webhook: Webhook | None = Field(None, description="Who is told of the job's end, see Webhooks.")
    rollback: bool | None = Field(
        None, description="Changes only: undo one that fails, where the driver can. By default if there are checks."
    )

    @property
    def undoes(self) -> bool:
        """Whether a change that fails shall be undone."""
        return self.checks is not None if self.rollback is None else self.rollback
