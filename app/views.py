"""Jobs as clients see them: what `jobs.views` makes, and the answers to submissions."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from uuid import UUID

from jobs.history import JobRecord
from jobs.submit import Accepted
from jobs.views import FileView as FileView
from jobs.views import JobView as JobView
from jobs.views import OutputView as OutputView
from jobs.views import Status as Status
from jobs.views import file_view as file_view
from jobs.views import output_view as output_view
from jobs.views import queue_name as queue_name
from jobs.views import status_of as status_of
from jobs.views import view as view


@dataclass(frozen=True, slots=True)
class AcceptedView:
    """A job in the queue. `warnings`: sentences about arguments that have no effect."""

    id: UUID
    status: Status
    queue: str
    created_at: datetime
    warnings: list[str]


@dataclass(frozen=True, slots=True)
class AwaitedView(JobView):
    """The job that a client submitted and waited for. `warnings`: sentences about arguments that have no effect."""

    warnings: list[str] = field(default_factory=list)


def accepted_view(job: Accepted, warnings: list[str]) -> AcceptedView:
    """The answer to a submission."""
    return AcceptedView(job.id, status_of(job.state), queue_name(job.strategy, job.host), job.created_at, warnings)


def awaited_view(record: JobRecord, warnings: list[str]) -> AwaitedView:
    """The answer to a submission that waited."""
    seen = view(record)
    return AwaitedView(**{item.name: getattr(seen, item.name) for item in fields(seen)}, warnings=warnings)
