"""The audit trail: what was decided on each request to a guarded route is put on record."""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any, cast
from uuid import UUID

import structlog
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from sqlalchemy.ext.asyncio import AsyncEngine

from app.refusals import Refusals
from jobs.audit import AuditEvent, write_events

log = structlog.get_logger()

READS = ("GET", "HEAD", "OPTIONS")
REFUSED = 403

WITHHELD = "The audit trail is out of reach, and what this would show must be on record: try again."


def note(
    scope: Scope,
    *,
    host: str | None = None,
    subject: str | None = None,
    job_id: UUID | None = None,
    batch_id: UUID | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Say in a handler what the request is about: fields of its AuditEvent, for those that are given."""
    given = {"host": host, "subject": subject, "job": job_id, "batch": batch_id, "detail": detail}
    noted = cast(dict[str, Any], scope)
    noted.update({f"audit_{name}": value for name, value in given.items() if value is not None})


def event_of(scope: HTTPScope, *, allowed: bool) -> AuditEvent:
    """What is known of the request by now. Never its path or query: ids and secrets may be in them."""
    known = cast(dict[str, Any], scope)
    user, client = known.get("user"), scope["client"]
    return AuditEvent(
        action=f"{scope['method']} {known['path_template']}",
        allowed=allowed,
        actor=user.name if user else None,
        client=_address(client[0]) if client else None,
        request_id=known.get("request_id"),
        host=known.get("audit_host"),
        subject=known.get("audit_subject"),
        reason=None if allowed else known.get("audit_reason"),
        job_id=known.get("audit_job"),
        batch_id=known.get("audit_batch"),
        detail=known.get("audit_detail"),
    )


def _address(text: str) -> str | None:
    """Behind a proxy it is what the proxy says, which must at least be an address."""
    try:
        return str(ip_address(text))
    except ValueError:
        return None


class AuditTrail:
    """Around the guarded routes: records what was carried out (2xx) before the answer goes out, and refusals (403).

    Reading is recorded only with `reads`, or where the route has the option `reveals`: there, what cannot be recorded
    is not answered either. Elsewhere the answer goes out, and the log has the failure.
    """

    def __init__(self, app: ASGIApp, database: AsyncEngine, refusals: Refusals, *, reads: bool) -> None:
        self.app = app
        self._database = database
        self._refusals = refusals
        self._reads = reads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        http = cast(HTTPScope, scope)  # guarded routes know nothing else
        withheld = False

        async def send_recorded(message: Message) -> None:
            nonlocal withheld
            if message["type"] == "http.response.start" and not await self._may_answer(http, message["status"]):
                withheld = True
                await _withhold(send)
                raise _Withheld
            await send(message)

        try:
            await self.app(scope, receive, send_recorded)
        except Exception:  # Litestar puts ours into one of its own; nobody needs it, the client has its answer
            if not withheld:
                raise

    async def _may_answer(self, scope: HTTPScope, status: int) -> bool:
        if "audited" in scope:
            return True
        if status == REFUSED:
            self._refusals.add(event_of(scope, allowed=False))
            return True
        return not self._counts(scope, status) or await self._record(scope)

    def _counts(self, scope: HTTPScope, status: int) -> bool:
        return 200 <= status < 300 and (self._reads or scope["method"] not in READS or _reveals(scope))

    async def _record(self, scope: HTTPScope) -> bool:
        event = event_of(scope, allowed=True)
        try:
            await write_events(self._database, [event])
        except Exception as error:  # noqa: BLE001 - whatever it was: it is done, but not on record
            log.error("audit.not_recorded", action=event.action, error=type(error).__name__)
            return not _reveals(scope)
        return True


class _Withheld(Exception):
    """Ends the handler's answer, which nobody gets."""


def _reveals(scope: HTTPScope) -> bool:
    handler: BaseRouteHandler = scope["route_handler"]
    return bool(handler.opt.get("reveals"))


async def _withhold(send: Send) -> None:
    body = json.dumps({"code": -1, "message": WITHHELD, "data": None}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), (b"retry-after", b"2")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
