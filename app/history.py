"""`/device/{host}/history`: what a command said on a device over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get
from litestar.params import FromPath, QueryParameter

from app.envelope import Envelope, invalid
from app.failures import failures
from app.filters import moment
from app.services import Needed
from app.trail import note
from drivers.base import device_key, normalise_host
from jobs.addresses import host_and_port
from jobs.outputs import Compared, HistoryFilter, OutputHistory

AnyRequest = Request[Any, Any, Any]

LONGEST_COMMAND = 1000
_MOMENT = {"format": "date-time"}


@dataclass(frozen=True, slots=True)
class VersionView:
    """What a command said for a while: consecutive equal outputs are one version.

    `first_seen_at`, `last_seen_at`: ends of the jobs that showed it first and last. `digest`: SHA-256 of the text in
    UTF-8; null: the device said nothing. `difference`: unified, from the version before; null: `note` says why. `text`:
    where it was asked for.
    """

    port: int
    first_seen_at: datetime
    last_seen_at: datetime
    first_job_id: UUID
    last_job_id: UUID
    digest: str | None
    size_bytes: int
    difference: str | None
    note: str | None
    text: str | None


@get(
    "/device/{host:str}/history",
    summary="What a command said over time",
    scope="read",
    responses=failures(400, 403, 500, 503),
)
async def device_history(
    request: AnyRequest,
    services: Needed,
    host: FromPath[str],
    command: Annotated[
        str | None, QueryParameter(name="command", description="As it was sent; needed.", max_length=LONGEST_COMMAND)
    ] = None,
    port: Annotated[
        int | None, QueryParameter(name="port", ge=1, le=65535, description="Only the device on this port.")
    ] = None,
    since: Annotated[
        str | None,
        QueryParameter(name="since", schema_extra=_MOMENT, description="Versions that began then or later."),
    ] = None,
    until: Annotated[
        str | None, QueryParameter(name="until", schema_extra=_MOMENT, description="Versions that began before.")
    ] = None,
    limit: Annotated[int, QueryParameter(name="limit", ge=1, le=100)] = 20,
    text: Annotated[bool, QueryParameter(name="text", description="With the whole texts.")] = False,
) -> Envelope[list[VersionView]]:
    """The versions of a query's output, newest first; empty for a command that never ran there."""
    if not command:
        raise invalid(["query", "command"], "is needed", "missing")
    device = _device(host)
    note(request.scope, host=device)
    request.user.require_host(device)
    chosen = HistoryFilter(
        device,
        command,
        None if port is None else device_key(device, port),
        moment("since", since),
        moment("until", until),
    )
    history = OutputHistory(services.database, services.templates)
    found = await history.find(chosen, limit, with_text=text)
    return Envelope([_view(compared) for compared in found])


def _device(host: str) -> str:
    """`host` in the spelling of the job's row. Raises Problem 400."""
    try:
        return normalise_host(host)
    except ValueError as error:
        raise invalid(["path", "host"], str(error)) from None


def _view(compared: Compared) -> VersionView:
    row = compared.version
    return VersionView(
        host_and_port(row.device_key)[1],
        row.first_seen_at,
        row.last_seen_at,
        row.first_job_id,
        row.last_job_id,
        None if row.digest is None else row.digest.hex(),
        row.size_bytes,
        compared.difference,
        compared.note,
        compared.text,
    )
