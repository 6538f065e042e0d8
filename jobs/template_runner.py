"""Rendering and parsing with the templates that clients send or name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import entry_points
from typing import Any, Self

import structlog

from jobs.library import Kind
from jobs.references import Lookup, References
from jobs.settings import TemplateSettings
from jobs.templating.errors import ChildLost, NoChildFree, ParsingFailed, TemplateNotFound, TemplateRefused
from jobs.templating.pool import Children
from jobs.templating.process import NotStarted

CATALOGUES = {"textfsm": ("ntc",), "ttp": ("ttp_templates",), "auto": ("ntc", "ttp_templates")}
"""Where a parser looks for a template by platform and command: the first that has one, and one that fits."""

log = structlog.get_logger()


class TemplateRunner:
    """Finds templates, and runs them in a pool of children that come up when first needed.

    Everything here raises TemplateErrors.
    """

    def __init__(self, references: References, *, children: int, inline_ttp: bool) -> None:
        """`children`: processes. `inline_ttp`: run TTP templates, which are code, that are not the site's own."""
        self._references = references
        self._size = children
        self._inline_ttp = inline_ttp
        self._starting: asyncio.Task[Children] | None = None
        self.renderers = ("jinja2", *sorted(entry_points(group="netpulse.renderers").names))
        self.parsers = ("auto", "regex", "textfsm", "ttp", *sorted(entry_points(group="netpulse.parsers").names))

    @classmethod
    def of(cls, library: Lookup, settings: TemplateSettings) -> Self:
        """What runs the templates of a site; starts nothing yet."""
        return cls(References(library, settings), children=settings.children, inline_ttp=settings.inline_ttp)

    async def start(self) -> Children:
        """Bring the children up, unless they are. Raises NoChildFree."""
        if self._starting is None:
            self._starting = asyncio.create_task(self._started())
        starting = self._starting
        try:
            return await asyncio.shield(starting)  # whoever came first may be called off: the others wait for it too
        except NoChildFree:
            if self._starting is starting:  # the next one tries again
                self._starting = None
            raise

    async def _started(self) -> Children:
        children = Children(self._size)
        try:
            await children.start()
        except (NotStarted, OSError) as error:
            log.error("template_children_not_started", error=type(error).__name__, reason=str(error))
            raise NoChildFree("the processes that run templates do not start; the log says why") from None
        return children

    async def close(self) -> None:
        """End the children."""
        if self._starting is not None:
            with suppress(NoChildFree):
                await (await self._starting).close()

    async def render(self, engine: str, template: str, context: Mapping[str, Any], args: Mapping[str, Any]) -> str:
        """The text that `template` makes of `context`; `args` are the engine's own."""
        _require(engine, self.renderers)
        found = await self._references.resolve(engine, template)
        match await self._run(engine, {"template": found.text, "context": context, "args": args}):
            case {"text": str(text)}:
                return text
        raise ChildLost("the renderer gave no text")

    async def parse(
        self,
        parser: str,
        text: str,
        *,
        template: str | None = None,
        platform: str | None = None,
        command: str | None = None,
    ) -> list[Any]:
        """The records in a device's output `text`, by a template or by the one for platform and command."""
        _require(parser, self.parsers)
        if template is None:
            return await self._parse_by_command(parser, {"platform": platform, "command": command, "text": text})
        if parser == "auto":
            raise TemplateRefused("auto takes platform and command, and no template", name="template")
        found = await self._references.resolve(parser, template)
        if parser == "ttp" and not (found.vetted or self._inline_ttp):
            raise TemplateRefused(
                "TTP evaluates code in templates, so this site runs none that is sent or fetched: store it with "
                "POST /template/ttp/NAME, or set NETPULSE_TEMPLATES__INLINE_TTP"
            )
        return _records(await self._run(parser, _task(parser, found.text, text), once=parser == "ttp"))

    async def _parse_by_command(self, parser: str, task: Mapping[str, Any]) -> list[Any]:
        if parser not in CATALOGUES:
            raise TemplateRefused(f"{parser} needs a template", name="template")
        first: Exception | None = None
        for catalogue in CATALOGUES[parser]:
            try:
                return _records(await self._run(catalogue, task))
            except (TemplateNotFound, ParsingFailed) as error:
                first = first or error
        assert first is not None
        raise first

    async def check(self, kind: Kind, template: str) -> None:
        """Raise unless `template` is a valid one of its kind."""
        if kind == "jinja2":
            await self.variables(template)
        else:
            await self._run(kind, _task(kind, template, ""), once=kind == "ttp")

    async def variables(self, template: str) -> dict[str, Any]:
        """The JSON schema of the context that a jinja2 template wants."""
        schema = await self._run("variables", {"template": template})
        if not isinstance(schema, dict):
            raise ChildLost("the template's variables were not found")
        return schema

    async def difference(self, before: str, after: str, names: tuple[str, str]) -> str:
        """The unified difference of two texts, called `names` there."""
        task = {"before": before, "after": after, "before_name": names[0], "after_name": names[1]}
        match await self._run("difference", task):
            case {"text": str(text)}:
                return text
        raise ChildLost("there is no difference of these texts")

    async def _run(self, engine: str, task: Mapping[str, Any], *, once: bool = False) -> Any:
        children = await self.start()
        return await children.run(engine, task, once=once)


def _require(engine: str, known: tuple[str, ...]) -> None:
    if engine not in known:
        raise TemplateRefused(f"no such engine; there are {', '.join(known)}", name="name")


def _task(parser: str, template: str, text: str) -> dict[str, Any]:
    return {"pattern" if parser == "regex" else "template": template, "text": text}


def _records(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [result]
