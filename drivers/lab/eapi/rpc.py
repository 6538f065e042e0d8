"""JSON-RPC as eAPI speaks it."""

import json
from dataclasses import dataclass
from typing import Any

PARSE_ERROR, INVALID_REQUEST, NO_SUCH_METHOD, INVALID_PARAMETERS = -32700, -32600, -32601, -32602
_FORMATS = ("json", "text")


class BadCall(Exception):
    """A request that names no commands to run."""

    def __init__(self, code: int, message: str, id_: Any = None) -> None:
        super().__init__(message)
        self.code, self.message, self.id = code, message, id_


@dataclass(frozen=True, slots=True)
class Line:
    """One command and its input."""

    text: str
    given: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A `runCmds` request."""

    id: Any
    lines: tuple[Line, ...]
    as_text: bool
    complete: bool


def read_call(body: bytes) -> Call:
    """Raises BadCall."""
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise BadCall(PARSE_ERROR, "Parse error: request is not JSON") from None
    if not isinstance(request, dict):
        raise BadCall(INVALID_REQUEST, "Invalid request: not an object")
    id_, params = request.get("id"), request.get("params")
    if request.get("method") != "runCmds":
        raise BadCall(NO_SUCH_METHOD, "Method not found: only runCmds is known", id_)
    if not isinstance(params, dict):
        raise BadCall(INVALID_PARAMETERS, "Invalid params: not an object", id_)
    return _call(id_, params)


def _call(id_: Any, params: dict[str, Any]) -> Call:
    commands, shape = params.get("cmds"), params.get("format") or "json"
    if params.get("version") not in (1, "latest"):
        raise BadCall(INVALID_PARAMETERS, "Invalid params: version must be 1 or 'latest'", id_)
    if shape not in _FORMATS:
        raise BadCall(INVALID_PARAMETERS, "Invalid params: format must be 'json' or 'text'", id_)
    if not isinstance(commands, list):
        raise BadCall(INVALID_PARAMETERS, "Invalid params: cmds must be a list", id_)
    lines = tuple(_line(id_, command) for command in commands)
    return Call(id_, lines, shape == "text", bool(params.get("autoComplete")))


def _line(id_: Any, command: Any) -> Line:
    fields = command if isinstance(command, dict) else {"cmd": command}
    text, given = fields.get("cmd"), fields.get("input", "")
    if not isinstance(text, str) or not isinstance(given, str):
        raise BadCall(INVALID_PARAMETERS, "Invalid params: a command must be a string, or cmd and input", id_)
    return Line(text, given)


def result(call: Call, replies: list[dict[str, Any]]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call.id, "result": replies}


def failure(call: Call, replies: list[dict[str, Any]], code: int, phrase: str, said: str) -> dict[str, Any]:
    """The command after these replies has failed: what had run is told, and why this one did not."""
    number, failed = len(replies) + 1, call.lines[len(replies)].text
    message = f"CLI command {number} of {len(call.lines)} '{failed}' failed: {phrase}"
    error = {"code": code, "message": message, "data": [*replies, {"errors": [said]}]}
    return {"jsonrpc": "2.0", "id": call.id, "error": error}


def bad(call: BadCall) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call.id, "error": {"code": call.code, "message": call.message}}


def encode(reply: dict[str, Any]) -> bytes:
    """As bytes; what `raw_text` has hidden comes out as it was."""
    return json.dumps(reply, ensure_ascii=False).encode("utf-8", "surrogateescape")


def raw_text(data: bytes) -> str:
    """Bytes that may not be UTF-8, for `encode` to restore."""
    return data.decode("utf-8", "surrogateescape")
