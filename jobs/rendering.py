"""What is sent to a device, where a template makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from drivers.base import Arguments
from jobs.lines import MOST_LINES, Commands, Lines
from jobs.template_runner import TemplateRunner
from jobs.templating.errors import TemplateError

LONGEST_TEMPLATE = 1_000_000
"""Characters of an inline template."""

_LINES: Mapping[str, TypeAdapter[list[str]]] = {"command": TypeAdapter(Commands), "config": TypeAdapter(Lines)}


class Rendering(Arguments):
    """How the commands or the configuration are made. Text among them is the template, an object is its context."""

    name: Annotated[str, Field(max_length=64)] = "jinja2"
    """The engine: `jinja2`, or an installed plug-in's."""
    template: Annotated[str, Field(min_length=1, max_length=LONGEST_TEMPLATE)] | None = None
    """Text, `name://…`, `file://…`, or an address; only with an object."""
    context: dict[str, Any] = Field(default_factory=dict)
    """Values of the template's variables."""
    args: dict[str, Any] = Field(default_factory=dict)
    """The engine's own: `trim_blocks`, `lstrip_blocks`, …"""


Text = Annotated[str, Field(min_length=1, max_length=LONGEST_TEMPLATE)]
Source = Text | Annotated[list[Text], Field(min_length=1, max_length=MOST_LINES)] | dict[str, Any]
"""A request's command or config, where a template makes what is sent."""


class RenderingRefused(Exception):
    """The template did not make what could be sent; the device was not touched. The message is for the client."""


async def rendered(runner: TemplateRunner, wanted: Rendering, operation: str, source: Any) -> tuple[str, list[str]]:
    """The text that `source` (the request's command or config) makes, and its lines. Raises RenderingRefused."""
    template, context = template_and_context(wanted, source)
    try:
        text = await runner.render(wanted.name, template, context, wanted.args)
    except TemplateError as error:
        raise RenderingRefused(f"The template was not rendered: {error}.") from None
    return text, _checked(operation, text)


def _checked(operation: str, text: str) -> list[str]:
    """What a client may not send, a template may not make. Raises RenderingRefused."""
    lines = [line for line in text.split("\n") if line.strip()]
    try:
        return _LINES[operation].validate_python(lines)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = f"its line {first['loc'][-1] + 1} " if first["loc"] and isinstance(first["loc"][-1], int) else "it "
        said = first["msg"].removeprefix("Value error, ")
        raise RenderingRefused(f"What the template made cannot be sent: {where}{said}.") from None


def template_and_context(wanted: Rendering, source: Any) -> tuple[str, dict[str, Any]]:
    """An object is context, with a template beside it; texts are the template."""
    if isinstance(source, dict):
        return wanted.template or "", {**wanted.context, **source}
    return source if isinstance(source, str) else "\n".join(source), wanted.context
