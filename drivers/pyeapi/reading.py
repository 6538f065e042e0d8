"""Reading what an eAPI answers. The device is not believed: sizes, shapes and characters are checked."""

from __future__ import annotations

import json
from typing import Any

from pyeapi.eapilib import CommandError

from drivers.errors import DriverError

NO_JSON = 1003
"""eAPI's error for a command that has no form but text (pyeapi `Node.enable`)."""


def decoded(body: bytes, number: str, where: str) -> dict[str, Any]:
    """The JSON-RPC answer in `body`, with a list of objects as its `result`.

    Raises CommandError for a refusal; DriverError for what is no answer to the request `number`.
    """
    try:
        answer = clean(json.loads(body.decode("utf-8", "replace"), parse_constant=lambda _: None))
    except (ValueError, RecursionError) as error:
        raise DriverError(f"{where} answered with something that is not JSON") from error
    if not isinstance(answer, dict) or str(answer.get("id")) != number:
        raise DriverError(f"{where} answered with something that does not belong to the request")
    if "error" in answer:
        raise _refusal(answer["error"], where)
    if not _objects(answer.get("result")):
        raise DriverError(f"{where} answered with something that is not an eAPI's")
    return answer


def clean(value: Any) -> Any:
    """`value` with characters that no database keeps (NUL, lone surrogates) replaced."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [clean(item) for item in value]
    if isinstance(value, dict):
        return {clean(name): clean(item) for name, item in value.items()}
    return value


def said(result: dict[str, Any]) -> str:
    """The words in one command's result: its text, or its messages; its errors if it was refused."""
    words = [*_texts(result.get("errors")), *_texts(result.get("messages")), *_texts(result.get("warnings"))]
    output = result.get("output")
    if isinstance(output, str) and output.strip():
        words.append(output.rstrip("\n"))
    return "\n".join(words)


def _refusal(error: Any, where: str) -> CommandError:
    """pyeapi's exception: `output` holds the results up to the refused command's, with its `errors`."""
    fields = error if isinstance(error, dict) else {}
    code, message, data = (fields.get(name) for name in ("code", "message", "data"))
    if not isinstance(code, int) or not isinstance(message, str):
        raise DriverError(f"{where} answered with something that is not an eAPI's")
    results: list[dict[str, Any]] = data if isinstance(data, list) and _objects(data) else []
    return CommandError(code, message, command_error=said(results[-1]) if results else None, output=results)


def _objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
