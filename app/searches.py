"""Query parameters that look into outputs."""

from __future__ import annotations

import json
from typing import Annotated, Any, NoReturn

from litestar.params import QueryParameter

from app.envelope import invalid
from jobs.results import storable_json
from jobs.searches import Search

Words = Annotated[
    str | None,
    QueryParameter(
        name="output", max_length=500, description="Words that one of the job's outputs has, all of them, in any order."
    ),
]
Contained = Annotated[
    str | None,
    QueryParameter(
        name="parsed",
        max_length=5000,
        description='JSON that the records of one of the job\'s outputs contain, such as `[{"status": "down"}]`.',
    ),
]


def search_of(output: str | None, parsed: str | None) -> Search | None:
    """What `output` and `parsed` together look for; None: they are not given. Raises Problem 400."""
    if output is not None and not any(letter.isalnum() for letter in output):
        raise invalid(["query", "output"], "has no word")
    if output is None and parsed is None:
        return None
    return Search(output, _value(parsed))


def _value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        value = json.loads(text, parse_constant=_no_number)
        storable = storable_json(value) == value
    except (ValueError, RecursionError):
        raise invalid(["query", "parsed"], "is not JSON", "json_invalid") from None
    if not isinstance(value, list | dict):
        raise invalid(["query", "parsed"], "must be a list or an object")
    if not storable:
        raise invalid(["query", "parsed"], "has a text or a number that no record can have")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")
