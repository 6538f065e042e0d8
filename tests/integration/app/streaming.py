"""Server-sent events as a client reads them."""

import json
from collections.abc import Iterator
from typing import Any

import httpx

Event = tuple[str, dict[str, Any]]


def events(answer: httpx.Response) -> Iterator[Event]:
    """Each event's kind and data; a comment is `("", {})`."""
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    kind = ""
    for line in answer.iter_lines():
        if line.startswith(":"):
            yield "", {}
        elif line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


def await_event(stream: Iterator[Event], kind: str, **fields: Any) -> dict[str, Any]:
    """The next event of that kind whose data has these fields."""
    for found, data in stream:
        if found == kind and fields.items() <= data.items():
            return data
    raise AssertionError(f"the stream ended without {kind} {fields}")
