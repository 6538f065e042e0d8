"""Commands and configuration lines, as a client may write them."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

MOST_LINES = 10_000
"""Commands or configuration lines in one request."""


def _no_controls(line: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in line):
        raise ValueError("must not contain control characters, line breaks or tabs: one entry is one line")
    return line


def _not_blank(command: str) -> str:
    if not command.strip():
        raise ValueError("must not be empty")
    return command


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_lines(value: object) -> object:
    """Split at line feeds only: what else `splitlines` splits at is a control character, to be refused."""
    return [line for line in re.split(r"\r?\n", value) if line.strip()] if isinstance(value, str) else value


_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
Line = Annotated[str, Field(max_length=16_384), AfterValidator(_not_blank), AfterValidator(_no_controls)]
Some = Annotated[list[Line], Field(min_length=1, max_length=MOST_LINES)]
Commands = Annotated[Some, BeforeValidator(_as_list), WithJsonSchema(_TEXTS)]
Lines = Annotated[Some, BeforeValidator(_as_lines), WithJsonSchema(_TEXTS)]
