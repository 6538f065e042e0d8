"""Frames between the parent and its children: four bytes of length (big-endian), then that much JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, NoReturn

from jobs.templating.errors import SizeExceeded

HEAD_BYTES = 4
DEEPEST = 64
"""Objects and arrays within each other."""


class BadFrame(ValueError):
    """Not a frame: too long, no JSON, or text that is none."""


def encode(value: Any, most_bytes: int, default: Callable[[Any], Any] | None = None) -> bytes:
    """One frame. Raises SizeExceeded, and TypeError or ValueError for what JSON cannot say."""
    try:
        _require_shallow(value, DEEPEST)
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default)
        payload = text.encode()
    except RecursionError:
        raise SizeExceeded(f"nested deeper than {DEEPEST} levels") from None
    if len(payload) > most_bytes:
        raise SizeExceeded(f"larger than {most_bytes} bytes")
    return len(payload).to_bytes(HEAD_BYTES, "big") + payload


def decode(payload: bytes) -> Any:
    """The value of one frame without its head. Raises BadFrame, and SizeExceeded where it is nested too deep."""
    try:
        value = json.loads(payload, parse_constant=_refuse_constant)
        if b"\\ud" in payload:  # perhaps half of a surrogate pair, which no database takes
            json.dumps(value, ensure_ascii=False).encode()
        _require_shallow(value, DEEPEST)
    except RecursionError:
        raise SizeExceeded(f"nested deeper than {DEEPEST} levels") from None
    except ValueError as error:
        raise BadFrame(type(error).__name__) from None
    return value


def length(head: bytes, most_bytes: int) -> int:
    """Bytes that follow `head`."""
    size = int.from_bytes(head, "big")
    if size > most_bytes:
        raise BadFrame(f"{size} bytes")
    return size


def receive(descriptor: int, most_bytes: int) -> Any | None:
    """The next value from a line, waiting for it; None when the other side closed it."""
    head = _read(descriptor, HEAD_BYTES)
    return decode(_read(descriptor, length(head, most_bytes))) if head else None


def send(descriptor: int, frame: bytes) -> None:
    """Write all of it."""
    rest = memoryview(frame)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _read(descriptor: int, size: int) -> bytes:
    pieces, missing = [], size
    while missing and (piece := os.read(descriptor, min(missing, 2**20))):
        pieces.append(piece)
        missing -= len(piece)
    return b"" if missing else b"".join(pieces)


def _require_shallow(value: Any, left: int) -> None:
    if left < 0:
        raise RecursionError
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    for each in inner:
        if isinstance(each, (dict, list, tuple)):
            _require_shallow(each, left - 1)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
