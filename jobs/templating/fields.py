"""Reading a task, whose fields a client wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.templating.errors import TemplateRefused


def text(task: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """The field `name`, which must be a string."""
    value = task.get(name, default)
    if not isinstance(value, str):
        raise TemplateRefused(f"{name} must be a text", name=name)
    return value


def options(task: Mapping[str, Any], name: str = "args") -> dict[str, Any]:
    """The field `name`, an object; empty without one."""
    value = task.get(name) or {}
    if not isinstance(value, dict):
        raise TemplateRefused(f"{name} must be an object", name=name)
    return value
