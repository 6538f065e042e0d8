"""What is wrong with a request, said so that a person can mend it, without repeating the input."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

SHOWN_NAME = 64
"""Of a name that nobody knows, an answer repeats so many characters."""

_SAID_PLAINLY = {
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be text, or a list of texts",
    "too_short": "must not be empty",
}
"""By pydantic's type of error, where its own message speaks of Python."""


class RequestInvalid(Exception):
    """The body is not a valid request. `details` has one `{loc, msg, type}` per fault; no input is repeated in them."""

    def __init__(self, details: list[dict[str, Any]]) -> None:
        self.details = details
        first = details[0]
        where = ".".join(str(part) for part in first["loc"])
        more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
        super().__init__(f"{where}: {first['msg']}{more}" if where else f"{first['msg']}{more}")


def validated(model: type[M], value: object, place: tuple[str, ...] = (), also: Sequence[str] = ()) -> M:
    """`value` as a `model`, standing at `place` in the body; `also`: names known at its top. Raises RequestInvalid."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestInvalid([_detail(model, item, place, also) for item in found]) from None


def _detail(model: type[BaseModel], item: ErrorDetails, place: tuple[str, ...], also: Sequence[str]) -> dict[str, Any]:
    message = _SAID_PLAINLY.get(item["type"]) or item["msg"].removeprefix("Value error, ")
    where = [part[:SHOWN_NAME] if isinstance(part, str) else part for part in item["loc"]]
    if item["type"] == "extra_forbidden":
        message = _unknown(str(where[-1]), _known_names(model, item["loc"][:-1], also))
    return {"loc": [*place, *where], "msg": message, "type": item["type"]}


def _unknown(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown field; {hint}Known here: {', '.join(known)}"


def _known_names(model: type[BaseModel], place: tuple[int | str, ...], also: Sequence[str]) -> list[str]:
    """The fields of the model at `place` below `model`; at the top, `also` too."""
    inner: Any = model
    for part in place:  # which may also be a place in a list, or the name that pydantic gives a choice
        if (field := inner.model_fields.get(part)) is not None:
            inner = _model_in(field.annotation) or inner
    names = list(inner.model_fields)
    return [*names, *also] if inner is model else names


def _model_in(annotation: Any) -> Any:
    """The first model of an annotation, however deep in unions and lists; None if there is none."""
    if hasattr(annotation, "model_fields"):
        return annotation
    return next(filter(None, map(_model_in, get_args(annotation))), None)
