"""The one table from an error to an HTTP answer."""

from __future__ import annotations

from typing import Any, Literal, cast, get_args, get_origin

import structlog
from litestar import Request, Response
from litestar.enums import ParamType
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException
from litestar.params import ParameterKwarg
from litestar.status_codes import HTTP_405_METHOD_NOT_ALLOWED, HTTP_413_REQUEST_ENTITY_TOO_LARGE

from app.envelope import Problem
from jobs.away import is_database_away
from jobs.credentials.errors import CredentialError, NoSuchCredential, PathRefused, VaultUnavailable
from jobs.invalid import RequestInvalid
from jobs.limits import TooManyQueued
from jobs.logs import trace_of
from jobs.principal import Forbidden
from jobs.seal import SealBroken
from jobs.submit import KeyReused, Refused
from jobs.templating.errors import NoChildFree, TemplateError

log = structlog.get_logger()

RETRY_AFTER_S = 2
QUEUE_RETRY_AFTER_S = 5

AnyRequest = Request[Any, Any, Any]


def answer_error(request: AnyRequest, error: Exception) -> Response[Any]:
    """Turn any error that reaches the outside into the envelope. What nobody foresaw is a 500 without details."""
    problem = problem_of(request, error)
    cast(dict[str, Any], request.scope)["audit_reason"] = problem.message
    if problem.status >= 500:
        log.error("request.failed", status=problem.status, path=request.url.path, trace=trace_of(error))
    body = {"code": -1, "message": problem.message, "data": problem.data}
    return Response(body, status_code=problem.status, headers=problem.headers, media_type="application/json")


def problem_of(request: AnyRequest, error: Exception) -> Problem:
    """The problem that `error` is for the client."""
    match error:
        case Problem():
            return error
        case RequestInvalid():
            return Problem(400, str(error), error.details)
        case Forbidden():
            return Problem(403, f"T{str(error)[1:]}.")  # they all begin with: the key
        case KeyReused():
            return Problem(409, f"{error}; use another key for another request.")
        case Refused():
            return Problem(409, f"{error}.")
        case TooManyQueued():
            return Problem(429, f"{error}.", headers={"Retry-After": str(QUEUE_RETRY_AFTER_S)})
        case SealBroken():
            return Problem(409, str(error))
        case NoChildFree():
            return Problem(503, f"Not now: {error}.", headers={"Retry-After": str(RETRY_AFTER_S)})
        case VaultUnavailable():
            return Problem(503, _sentence(error), headers={"Retry-After": str(RETRY_AFTER_S)})
        case CredentialError():
            return _credential_problem(error)
        case TemplateError():
            return _template_problem(error)
        case HTTPException():
            return _http_problem(request, error)
        case _ if is_database_away(error):
            message = "PostgreSQL is out of reach; try again, with an Idempotency-Key when you submit."
            return Problem(503, message, headers={"Retry-After": str(RETRY_AFTER_S)})
    return Problem(500, "Internal error; the X-Request-ID of this answer finds it in the log.")


def _credential_problem(error: CredentialError) -> Problem:
    match error:
        case NoSuchCredential():
            status = 404
        case PathRefused():
            status = 403
        case _:
            status = 400
    return Problem(status, _sentence(error))


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _template_problem(error: TemplateError) -> Problem:
    place = {key: value for key, value in (("line", error.line), ("name", error.name)) if value is not None}
    fault = {"loc": ["template"], "msg": error.message, "type": error.kind, **place}
    return Problem(400, f"template: {error}.", [fault])


def _http_problem(request: AnyRequest, error: HTTPException) -> Problem:
    """Litestar's own errors, in our words: its texts may repeat the URL, and with it a key in the query."""
    path, method = request.url.path, request.method
    match error:
        case ValidationException():
            faults = _faults(request, error)
            where = ".".join(map(str, faults[0]["loc"]))
            return Problem(400, f"{where}: {faults[0]['msg']}", faults)
        case NotFoundException():
            return Problem(404, "There is nothing at this address.")  # which is the client's text: it may hold a key
        case MethodNotAllowedException():
            headers = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
            return Problem(HTTP_405_METHOD_NOT_ALLOWED, f"{path} does not answer {method}.", headers=headers)
    if error.status_code == HTTP_413_REQUEST_ENTITY_TOO_LARGE:
        limit = request.app.request_max_body_size
        return Problem(413, f"The body is larger than the {limit:,} bytes that are allowed.")
    return Problem(error.status_code, f"{method} {path} was refused.")


def _faults(request: AnyRequest, error: ValidationException) -> list[dict[str, Any]]:
    extra = error.extra if isinstance(error.extra, list) else []
    faults = [_fault(request, item) for item in extra if isinstance(item, dict)]
    return faults or [{"loc": ["query"], "msg": "not valid", "type": "value_error"}]


def _fault(request: AnyRequest, item: dict[str, Any]) -> dict[str, Any]:
    """In the names of the wire; msgspec's own texts repeat a value that is none of an enumeration's."""
    source, key, message = item.get("source"), str(item.get("key", "")), str(item.get("message", ""))
    field = request.route_handler.parsed_fn_signature.parameters.get(key)
    declared = field.kwarg_definition if field else None
    if isinstance(declared, ParameterKwarg):
        key = declared.name or key
    if field and message.startswith("Invalid enum value"):
        choices = get_args(next(inner for inner in (*field.args, field.annotation) if get_origin(inner) is Literal))
        message = f"Must be one of {', '.join(choices)}"
    return {
        "loc": [source.value if isinstance(source, ParamType) else "query", key],
        "msg": message,
        "type": "value_error",
    }
