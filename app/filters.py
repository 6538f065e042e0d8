"""Query parameters that need more than a type."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from litestar.params import QueryParameter

from app.envelope import invalid
from drivers.base import normalise_host

Host = Annotated[str | None, QueryParameter(name="host", description="The device's name or address, in any spelling.")]
Queue = Annotated[str | None, QueryParameter(name="queue", description="`pinned_<host>` or `fifo`.")]
Node = Annotated[str | None, QueryParameter(name="node", description="The worker's machine.")]
WorkerQueue = Annotated[str | None, QueryParameter(name="queue", description="One of a worker's `queues`.")]
_MOMENT = {"format": "date-time"}
Since = Annotated[
    str | None,
    QueryParameter(name="since", schema_extra=_MOMENT, description="Accepted at or after; without an offset UTC."),
]
Until = Annotated[
    str | None,
    QueryParameter(name="until", schema_extra=_MOMENT, description="Accepted before; without an offset UTC."),
]


def host_and_queue(host: str | None, queue: str | None) -> dict[str, Any]:
    """The fields of a JobFilter for `host` and `queue` together. Raises Problem 400, also for a contradiction."""
    chosen = _of_queue(queue)
    if host is None:
        return chosen
    device = host_name(host)
    if chosen.get("host", device) != device:
        raise invalid(["query", "queue"], "names another host than query.host")
    return chosen | {"host": device}


def host_name(host: str, parameter: str = "host") -> str:
    """`host` in the spelling of the job's row. Raises Problem 400."""
    try:
        return normalise_host(host)
    except ValueError as error:
        raise invalid(["query", parameter], str(error)) from None


def needed_host(host: str | None) -> str:
    """`host_name` of what must be given: without it, everything would be meant. Raises Problem 400."""
    if host is None:
        raise invalid(["query", "host"], "is needed", "missing")
    return host_name(host)


def moment(parameter: str, text: str | None) -> datetime | None:
    """A date or a time by RFC 3339; UTC where it has no offset. Raises Problem 400."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = "not a time such as 2026-01-31T12:00:00Z (in a URL write + as %2B)"
        raise invalid(["query", parameter], message) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def page_cursor(text: str | None) -> UUID | None:
    """The last job of the page before. Raises Problem 400."""
    if text is None:
        return None
    try:
        return UUID(hex=text)
    except ValueError:
        raise invalid(["query", "cursor"], "not a cursor; take it from X-Next-Cursor") from None


def _of_queue(queue: str | None) -> dict[str, Any]:
    """`pinned_<host>` or `fifo`, as in a job's `queue`."""
    if queue is None:
        return {}
    if queue == "fifo":
        return {"strategy": "fifo"}
    if queue.startswith("pinned_"):
        return {"strategy": "pinned", "host": host_name(queue.removeprefix("pinned_"), "queue")}
    raise invalid(["query", "queue"], "must be fifo or pinned_<host>")
