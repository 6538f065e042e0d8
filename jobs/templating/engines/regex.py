"""Records from a regex: what its named groups matched, match by match."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jobs.templating.errors import ParsingFailed, TemplateRefused
from jobs.templating.fields import text

FLAGS = {
    "ignorecase": re.IGNORECASE,
    "multiline": re.MULTILINE,
    "dotall": re.DOTALL,
    "verbose": re.VERBOSE,
    "ascii": re.ASCII,
}


def parse(task: Mapping[str, Any]) -> list[dict[str, str | None]]:
    """{pattern, text, flags?: [names]} → a record per match; a group that took no part is null."""
    pattern = _compiled(text(task, "pattern"), _flags(task.get("flags") or []))
    if not pattern.groupindex:
        raise ParsingFailed("the pattern needs at least one named group, as in (?P<name>…)")
    return [match.groupdict() for match in pattern.finditer(text(task, "text"))]


def _compiled(pattern: str, flags: re.RegexFlag) -> re.Pattern[str]:
    try:
        return re.compile(pattern, flags)
    except re.error as error:
        raise ParsingFailed(f"the pattern is not valid: {error.msg}", line=error.lineno) from None
    except (OverflowError, RecursionError):
        raise ParsingFailed("the pattern is too large") from None


def _flags(names: object) -> re.RegexFlag:
    if not isinstance(names, list) or not all(isinstance(name, str) and name in FLAGS for name in names):
        raise TemplateRefused(f"flags must be a list of: {', '.join(FLAGS)}", name="flags")
    flags = re.RegexFlag(0)
    for name in names:
        flags |= FLAGS[name]
    return flags
