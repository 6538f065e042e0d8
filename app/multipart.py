"""A request with a file: two parts, `request` and then `file`, which goes to the store as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, TypeAlias

from litestar import Request
from multipart import (  # type: ignore[import-untyped]
    MultipartError,
    MultipartSegment,
    PushMultipartParser,
    parse_options_header,
)

from app.bodies import decoded_json
from app.envelope import Problem, invalid
from app.services import Services
from drivers.errors import TooLarge
from jobs.authorisation import authorise
from jobs.requests import Request as Wanted

AnyRequest = Request[Any, Any, Any]
Events: TypeAlias = AsyncGenerator["MultipartSegment | bytes | None", None]
"""A part's head, its bytes in pieces, None at its end; and the next one's."""

PARTS = ("request", "file")
STALL_S = 60.0
"""A body of which nothing comes for so long is given up."""


def is_multipart(request: AnyRequest) -> bool:
    """Whether the body is a form with parts."""
    return _content_type(request)[0] == "multipart/form-data"


async def upload_request(request: AnyRequest, services: Services) -> Wanted:
    """The valid request in the first part, with the file of the second one, which is stored by then.

    Raises Problem 400 and 413, RequestInvalid, Forbidden; then nothing is stored.
    """
    async with aclosing(_events(request)) as events:
        await _begin(events, "request")
        wanted = services.models.parse(await _json(events, request), with_file=True)
        authorise(request.user, wanted, services.intake.host_keys)
        head = await _begin(events, "file")
        name = head.filename or wanted.public["driver_args"]["file_transfer"]["remote_path"]
        try:
            stored = await services.storage.receive(name, _rest(events))
        except TooLarge as error:
            raise Problem(413, f"file: {error}.") from None
    return wanted.with_file(stored)


def _content_type(request: AnyRequest) -> tuple[str, dict[str, str]]:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    return kind, options


async def _events(request: AnyRequest) -> Events:
    """The body as it is parsed. Raises Problem 400."""
    try:
        boundary = _content_type(request)[1].get("boundary", "")
        with PushMultipartParser(boundary, max_segment_count=len(PARTS) + 1) as parser:
            async for chunk in _chunks(request):
                for event in parser.parse(chunk):
                    yield bytes(event) if isinstance(event, bytearray) else event
    except MultipartError:  # its text may repeat what was sent
        raise invalid([], "The body is not valid multipart/form-data, or ended before its end", "multipart") from None


async def _chunks(request: AnyRequest) -> AsyncIterator[bytes]:
    """The body as it comes: without Litestar, which would hold it to the limit of other bodies."""
    more = True
    while more:
        try:
            message: Any = await asyncio.wait_for(request.receive(), STALL_S)
        except TimeoutError:
            raise invalid([], f"Nothing more of the body came for {STALL_S:g} seconds", "missing") from None
        if message["type"] == "http.disconnect":
            raise invalid([], "The body ended before its end", "missing")
        more = message.get("more_body", False)
        if message.get("body"):
            yield message["body"]


async def _begin(events: Events, name: str) -> MultipartSegment:
    """The head of the next part, which must be the one called `name`."""
    head = await anext(events, None)
    if not isinstance(head, MultipartSegment):
        raise invalid([name], "missing: this part is needed, `request` before `file`", "missing")
    if head.name != name:
        raise _out_of_place(head.name)
    return head


def _out_of_place(name: str) -> Problem:
    if name in PARTS:
        return invalid([name], "out of place: the parts are `request`, then `file`, once each", "multipart")
    return invalid([], "There is an unknown part: the parts are `request` and `file`", "extra_forbidden")


async def _json(events: Events, request: AnyRequest) -> object:
    """The decoded part of which the head is read."""
    body = bytearray()
    limit = request.app.request_max_body_size
    assert isinstance(limit, int)
    async for event in events:
        if event is None:
            break
        body += event
        if len(body) > limit:
            raise Problem(413, f"request: larger than the {limit:,} bytes that are allowed.")
    return await decoded_json(bytes(body))


async def _rest(events: Events) -> AsyncIterator[bytes]:
    """The bytes of the last part. Raises Problem 400 if another one follows."""
    async for event in events:
        if isinstance(event, MultipartSegment):
            raise _out_of_place(event.name)
        if event is not None:
            yield event
