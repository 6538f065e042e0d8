"""What runs in the children. An engine is a function from a task to its result, both plain JSON data."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

from jobs.templating.engines import difference, fsm, jinja, regex, ttp, variables
from jobs.templating.errors import ParsingFailed, RenderingFailed, TemplateError
from jobs.templating.fields import options, text

Task = Mapping[str, Any]
Engine = Callable[[Task], Any]

RENDERERS, PARSERS = "netpulse.renderers", "netpulse.parsers"

_ENCODINGS = ("ascii", "latin-1", "utf-8-sig", "utf-16", "cp1252", "unicode_escape", "raw_unicode_escape")
"""Python imports a codec when it is first used."""


def load_engines() -> tuple[dict[str, Engine], list[str]]:
    """Engines by name, ready to run without any import; and the names of the plug-ins whose templates are code."""
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    plug_ins = [*_plug_ins(RENDERERS, _renderer), *_plug_ins(PARSERS, _parser)]
    engines = {name: engine for name, engine, _ in plug_ins} | {
        "jinja2": jinja.load(),
        "variables": variables.variables,
        "textfsm": fsm.parse,
        "ttp": ttp.load(),
        "regex": regex.parse,
        "difference": difference.unified,
    }
    return engines, [name for name, _, evaluates in plug_ins if evaluates]


def _plug_ins(group: str, wrap: Callable[[str, Callable[..., Any]], Engine]) -> list[tuple[str, Engine, bool]]:
    loaded = [(entry.name, entry.load()) for entry in entry_points(group=group)]
    return [(name, wrap(name, function), bool(getattr(function, "evaluates", False))) for name, function in loaded]


def _renderer(name: str, render: Callable[[str, Any, Mapping[str, Any]], str]) -> Engine:
    """Of `render(template, context, args)` → the text."""

    def engine(task: Task) -> dict[str, str]:
        template, context = text(task, "template"), options(task, "context")
        with _failing_as(RenderingFailed, name):
            return {"text": str(render(template, context, options(task)))}

    return engine


def _parser(name: str, parse: Callable[[str, str, Mapping[str, Any]], Any]) -> Engine:
    """Of `parse(template, text, args)` → records."""

    def engine(task: Task) -> Any:
        template, parsed = text(task, "template", ""), text(task, "text")
        with _failing_as(ParsingFailed, name):
            return parse(template, parsed, options(task))

    return engine


@contextmanager
def _failing_as(kind: type[TemplateError], name: str) -> Iterator[None]:
    try:
        yield
    except (TemplateError, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - of a library that we do not know; its text may hold values
        raise kind(f"{name} failed ({type(error).__name__})") from None
