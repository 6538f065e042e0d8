"""Around the whole application: a request id and protective headers on every answer, one log line per request."""

from __future__ import annotations

import re
import time
from typing import Any, cast
from uuid import uuid4

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from app.headers import protected
from app.openapi import ASSETS

log = structlog.get_logger()

_SANE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_HEADER = b"x-request-id"


class AccessLog:
    """Takes the client's X-Request-ID if it is sane, else makes one. Logs no query: a key may be in it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        http = scope
        request_id = _request_id(http)
        cast(dict[str, Any], http)["request_id"] = request_id.decode()
        cacheable = http["path"].startswith(f"{ASSETS}/")
        status = 0
        began = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = protected(message["headers"], cacheable=cacheable)
                message["headers"] = [*headers, (_HEADER, request_id)]
            await send(message)

        with structlog.contextvars.bound_contextvars(request=request_id.decode()):
            await self.app(scope, receive, send_with_id)
            milliseconds = round((time.perf_counter() - began) * 1000, 1)
            log.info("request", method=http["method"], path=http["path"], status=status, ms=milliseconds)


def _request_id(scope: HTTPScope) -> bytes:
    given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
    return given if _SANE_ID.fullmatch(given) else uuid4().hex.encode()
