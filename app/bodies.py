"""Reading what a client sent: JSON bodies, and query parameters that must be known."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from litestar import Request
from litestar.handlers import BaseRouteHandler
from litestar.params import ParameterKwarg
from pydantic_core import from_json

from app.envelope import Problem

AnyRequest = Request[Any, Any, Any]


async def json_body(request: AnyRequest) -> object:
    """The decoded body. Raises Problem 415 and 400; Litestar raises its own for one that is too large (413)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise Problem(415, "The body must be JSON: send the header Content-Type: application/json.")
    body = await request.body()
    if not body:
        raise Problem(400, "The body is empty; a JSON object is needed.")
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError as error:  # its text names line and column and repeats nothing of the body
        raise Problem(400, f"The body is not valid JSON: {error}.") from None


async def refuse_unknown_query(request: AnyRequest) -> None:
    """Before-request hook: a misspelt filter would otherwise silently select everything."""
    known = _query_parameters(request.route_handler)
    for name in request.query_params:
        if name not in known and name != request.app.state.keyring.parameter:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            message = f"unknown query parameter; {hint}Known here: {', '.join(known) or 'none'}"
            detail = {"loc": ["query", name], "msg": message, "type": "extra_forbidden"}
            raise Problem(400, f"query.{name}: {message}", [detail])


def _query_parameters(handler: BaseRouteHandler) -> list[str]:
    """The names that the handler's signature declares with `Parameter(query=…)`, which every one of ours does."""
    declared = (field.kwarg_definition for field in handler.parsed_fn_signature.parameters.values())
    return [parameter.query for parameter in declared if isinstance(parameter, ParameterKwarg) and parameter.query]
