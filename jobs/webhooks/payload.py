"""What a webhook says of a job or a detached task: what `GET` shows of it, and what has happened."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Row

from jobs.history import JobRecord
from jobs.task_views import TaskView, task_view
from jobs.views import JobView, view

_JOB = TypeAdapter(JobView)
_TASK = TypeAdapter(TaskView)

SHORTEST = 64
"""Texts are not cut below this length, in characters."""

_CUT = "… [cut by NetPulse: {length} characters in all]"


def payload_of(record: JobRecord, event_type: str, at: datetime, max_bytes: int) -> dict[str, Any]:
    """The payload, of which the JSON has at most `max_bytes` or little more than the job's bare facts."""
    said: dict[str, Any] = _JOB.dump_python(view(record), mode="json")
    return bounded({**said, **_event(event_type, at, final=True)}, max_bytes)


def task_payload(
    row: Row[Any], piece: dict[str, Any] | None, event_type: str, at: datetime, max_bytes: int
) -> dict[str, Any]:
    """The same for a detached task. `piece`: of its log, {text, offset, next_offset}."""
    said: dict[str, Any] = _TASK.dump_python(task_view(row), mode="json")
    return bounded({**said, **(piece or {}), **_event(event_type, at, final=event_type == "task.ended")}, max_bytes)


def _event(event_type: str, at: datetime, *, final: bool) -> dict[str, Any]:
    return {"event_type": event_type, "final": final, "timestamp": at.isoformat().replace("+00:00", "Z")}


def encoded(payload: dict[str, Any]) -> bytes:
    """Its JSON."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def bounded(payload: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    """`payload` with what is longest cut until its JSON has at most `max_bytes`; then it says `"cut": true`."""
    if _fits(payload, max_bytes):
        return payload
    longest = max_bytes // 2
    while longest >= SHORTEST:
        shorter = {**_cut(payload, longest), "cut": True}
        if _fits(shorter, max_bytes):
            return shorter
        longest //= 4
    return _bare(payload)


def _fits(payload: dict[str, Any], max_bytes: int) -> bool:
    return _size(payload) <= max_bytes and len(encoded(payload)) <= max_bytes  # the first says no without a copy


def _size(value: Any) -> int:
    """Characters of all texts in a JSON value, and 1 for whatever else there is: less than its JSON has."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_size, value))
    if isinstance(value, dict):
        return sum(len(name) + _size(inner) for name, inner in value.items())
    return 1


def _cut(value: Any, longest: int) -> Any:
    """A JSON value with every text in it cut; a record of a parser that is longer altogether is left out."""
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + _CUT.format(length=len(value))
    if isinstance(value, list):
        return [_cut(inner, longest) for inner in value]
    if isinstance(value, dict):
        return {
            name: None if name == "parsed" and _size(inner) > longest else _cut(inner, longest)
            for name, inner in value.items()
        }
    return value


def _bare(payload: dict[str, Any]) -> dict[str, Any]:
    """Without what was asked and answered: thousands of lines, however short each is."""
    result = {**payload["result"], "retval": []} if payload.get("result") else None
    shorter = {"command": None, "config": None, "rendered": None, "result": result}
    bare = {**payload, **{name: value for name, value in shorter.items() if name in payload}, "cut": True}
    short: dict[str, Any] = _cut(bare, SHORTEST)
    return short
