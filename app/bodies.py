"""Reading what a client sent: JSON bodies, and query parameters that must be known."""

from __future__ import annotations

import asyncio
import json
from difflib import get_close_matches
from functools import partial
from typing import Any

from litestar import Request
from litestar.exceptions import InternalServerException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from pydantic_core import from_json

from app.envelope import Problem, invalid
from jobs.invalid import SHOWN_NAME

AnyRequest = Request[Any, Any, Any]

LONG_BYTES = 128 * 1024


async def json_body(request: AnyRequest) -> object:
    """The decoded body. Raises Problem 415 and 400; Litestar raises its own for one that is too large (413)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem(415, "The body must be JSON: send the header Content-Type: application/json.")
    try:
        body = await request.body()
    except InternalServerException:  # Litestar's word for a client that went away: no bug of ours
        raise invalid([], "The body ended before its end", "missing") from None
    return await decoded_json(body)


async def decoded_json(body: bytes) -> object:
    """What the JSON text `body` says. Raises Problem 400."""
    if not body:
        raise invalid([], "The body is empty; a JSON object is needed", "missing")
    try:
        decoded = from_json(body, allow_inf_nan=False)
    except ValueError as error:  # its text names line and column and repeats nothing of the body
        raise invalid([], f"The body is not valid JSON: {error}", "json_invalid") from None
    await _refuse_duplicates_in(body)
    return decoded


async def _refuse_duplicates_in(body: bytes) -> None:
    """Bounded: what from_json took is not nested deeply."""
    look = partial(json.loads, body, object_pairs_hook=_refuse_duplicates)
    if len(body) < LONG_BYTES:
        look()
    else:  # the other requests go on meanwhile
        await asyncio.to_thread(look)


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> None:
    """Which of two commands counts is not for us to say: a proxy that checks requests may choose the other."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise invalid([], "The body is not valid: a field is given twice in one object", "json_invalid")


async def refuse_bad_query(request: AnyRequest) -> None:
    """Before-request hook: a misspelt or repeated filter would otherwise silently select something else."""
    known = _query_parameters(request.route_handler)
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        loc = ["query", name[:SHOWN_NAME]]
        if name not in known and name != request.app.state.keyring.parameter:
            close = get_close_matches(name[:SHOWN_NAME], known, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            message = f"unknown query parameter; {hint}Known here: {', '.join(known) or 'none'}"
            raise invalid(loc, message, "extra_forbidden")
        if name in seen:
            raise invalid(loc, "given more than once", "duplicate")
        if "\0" in str(value):  # PostgreSQL's text cannot hold it
            raise invalid(loc, "must not contain null characters")
        seen.add(name)


def _query_parameters(handler: BaseRouteHandler) -> list[str]:
    """The names that the handler's signature declares with `QueryParameter(name=…)`, which every one of ours does."""
    declared = (field.kwarg_definition for field in handler.parsed_fn_signature.parameters.values())
    return [parameter.name for parameter in declared if isinstance(parameter, QueryParameter) and parameter.name]
