"""Server-sent events: the form of a stream, and its end when the client goes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

from litestar.openapi.datastructures import ResponseSpec
from litestar.response.streaming import ASGIStreamingResponse
from litestar.serialization import encode_json
from litestar.types import Receive, Send

HEARTBEAT_S = 15.0
"""A stream without news sends a comment this often, so that nobody between takes it for dead."""

HEARTBEAT = b": heartbeat\n\n"

MEDIA_TYPE = "text/event-stream"

Events = AsyncGenerator[bytes, None]


def event(kind: str, data: object) -> bytes:
    """One event; `data` is JSON, which has no line breaks."""
    return b"event: " + kind.encode() + b"\ndata: " + encode_json(data) + b"\n\n"


def stream(description: str) -> dict[int, ResponseSpec]:
    """A stream of events, for a route's `responses`."""
    return {200: ResponseSpec(str, description=description, media_type=MEDIA_TYPE, generate_examples=False)}


class EventStream(ASGIStreamingResponse):
    """Streams `events`; they are closed, and with them what they hold, as soon as the client goes away."""

    def __init__(self, events: Events) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(iterator=events, media_type=MEDIA_TYPE, headers=headers, status_code=200)

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Litestar's, but what it leaves open is closed."""
        async with aclosing(cast(AsyncGenerator[Any, None], self.iterator)):
            await super().send_body(send, receive)
