"""How one text became another. It runs here as time and memory are bounded: devices choose the texts."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import unified_diff
from typing import Any

from jobs.templating.fields import text


def unified(task: Mapping[str, Any]) -> dict[str, str]:
    """{before, after, before_name, after_name} → {"text": the unified difference, empty for equal texts}."""
    before, after = (_lines(text(task, name)) for name in ("before", "after"))
    names = text(task, "before_name"), text(task, "after_name")
    return {"text": "\n".join(unified_diff(before, after, *names, lineterm=""))}


def _lines(whole: str) -> list[str]:
    """Its lines; one that ends with a line break differs from one that does not."""
    return whole.split("\n") if whole else []
