"""Text from jinja2 templates, in jinja2's sandbox, from plain JSON data only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from jobs.templating.engines.filters import filters
from jobs.templating.errors import RenderingFailed, SizeExceeded, TemplateRefused
from jobs.templating.fields import options, text

MOST_CHARACTERS = 4 * 2**20
"""Of a rendered text."""

_KEPT = 16
"""Compiled templates."""

_TEMPLATE = "<template>"
_NEWLINES = ("\n", "\r\n", "\r")
_SWITCHES = frozenset({"trim_blocks", "lstrip_blocks", "keep_trailing_newline"})
_MARKS = frozenset(f"{what}_{end}_string" for what in ("block", "variable", "comment") for end in ("start", "end")) | {
    "line_statement_prefix",
    "line_comment_prefix",
}
_LONGEST_MARK = 8
_OTHER_TEMPLATES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)

ARGUMENTS = (*sorted(_SWITCHES | _MARKS), "newline_sequence")


def load() -> Callable[[Mapping[str, Any]], dict[str, str]]:
    """The engine, ready: {template, context?, args?} → {"text"}. Few templates serve many devices: it keeps some."""
    ours = filters()

    @lru_cache(_KEPT)
    def compiled(template: str, arguments: tuple[tuple[str, Any], ...]) -> Compiled:
        return Compiled(environment_for(dict(arguments)), ours, template)

    def render(task: Mapping[str, Any]) -> dict[str, str]:
        arguments = options(task)
        require_arguments(arguments)
        template = compiled(text(task, "template"), tuple(sorted(arguments.items())))
        return {"text": template.render(options(task, "context"))}

    render({"template": "{% for a in b %}{{ a | to_yaml | indent }}{% endfor %}'", "context": {"b": ["1"]}})
    with suppress(RenderingFailed):  # what explains an error is imported too
        render({"template": "{{ a }}"})
    return render


def environment_for(arguments: Mapping[str, Any]) -> ImmutableSandboxedEnvironment:
    """jinja2's sandbox with these whitespace and delimiter arguments; undefined variables are errors."""
    require_arguments(arguments)
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        cache_size=0,
        optimized=False,  # it would compute `'a' * 10**8` while compiling, and keep the result
        extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do"],
        **arguments,
    )
    del environment.globals["lipsum"]
    return environment


def syntax_tree(environment: ImmutableSandboxedEnvironment, template: str) -> nodes.Template:
    """Of a template that stands alone. Raises RenderingFailed with the line."""
    try:
        tree = environment.parse(template)
    except TemplateSyntaxError as error:
        raise RenderingFailed(error.message or "not a valid template", line=error.lineno) from None
    except RecursionError:
        raise RenderingFailed("the template nests too deep") from None
    for other in tree.find_all(_OTHER_TEMPLATES):
        raise RenderingFailed("a template stands alone: no include, import or extends", line=other.lineno)
    return tree


class Compiled:
    """A template, ready to be rendered again and again."""

    def __init__(
        self, environment: ImmutableSandboxedEnvironment, more: Mapping[str, Callable[..., Any]], template: str
    ) -> None:
        environment.filters.update(more)
        self._environment, self._tree = environment, syntax_tree(environment, template)
        try:
            self._template = environment.from_string(self._tree)
        except TemplateSyntaxError as error:
            raise RenderingFailed(error.message or "not a valid template", line=error.lineno) from None
        except (SyntaxError, RecursionError):  # Python's own: too many blocks within each other
            raise RenderingFailed("the template nests too deep") from None

    def render(self, context: Mapping[str, Any]) -> str:
        """The text. Raises RenderingFailed and SizeExceeded."""
        try:
            return _bounded(self._template.generate(context))
        except (MemoryError, SizeExceeded):
            raise
        except Exception as error:  # noqa: BLE001 - filters and operators raise what they like
            raise _explained(error, self._environment, self._tree) from None


def _bounded(pieces: Iterable[str]) -> str:
    kept, size = [], 0
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size > MOST_CHARACTERS:
            raise SizeExceeded(f"the rendered text is longer than {MOST_CHARACTERS} characters")
    return "".join(kept)


def _explained(error: Exception, environment: ImmutableSandboxedEnvironment, tree: nodes.Template) -> RenderingFailed:
    """Which line and name, and what kind of error; its text only where it cannot hold a value of the context."""
    line, function = _place(error.__traceback__)
    if isinstance(error, UndefinedError):
        name = next((name for name in _names(tree) if f"'{name}'" in str(error)), None)
        return RenderingFailed(f"{name!r} is undefined" if name else "a value is undefined", line=line, name=name)
    if isinstance(error, SecurityError):
        return RenderingFailed("the sandbox does not allow this attribute or call", line=line)
    if isinstance(error, RecursionError):
        return RenderingFailed("the template calls itself without end, or nests too deep", line=line)
    where = function if function in environment.filters else None
    subject = f"the filter {where!r}" if where else "an expression"
    return RenderingFailed(f"{subject} failed ({type(error).__name__})", line=line, name=where)


def _place(trace: TracebackType | None) -> tuple[int | None, str | None]:
    """The innermost line of the template, and the function that it called."""
    line = function = None
    while trace:
        code = trace.tb_frame.f_code
        if code.co_filename == _TEMPLATE:
            line, function = trace.tb_lineno, None
        elif line is not None and function is None:
            function = code.co_name.removeprefix("do_")
        trace = trace.tb_next
    return line, function


def _names(tree: nodes.Template) -> list[str]:
    """Names that stand in the template, the longest first: an error may repeat these."""
    named = {node.name for node in tree.find_all(nodes.Name)} | {node.attr for node in tree.find_all(nodes.Getattr)}
    constants = {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
    return sorted(named | constants, key=len, reverse=True)


def require_arguments(arguments: Mapping[str, Any]) -> None:
    """Raises TemplateRefused for one that is unknown, or whose value does not fit."""
    for name, value in arguments.items():
        _require(name, value)


def _require(name: str, value: object) -> None:
    if name in _SWITCHES:
        valid = isinstance(value, bool)
    elif name in _MARKS:
        valid = isinstance(value, str) and 0 < len(value) <= _LONGEST_MARK and value.isprintable()
    elif name == "newline_sequence":
        valid = value in _NEWLINES
    else:
        raise TemplateRefused(f"no such argument; there are {', '.join(ARGUMENTS)}", name=name)
    if not valid:
        raise TemplateRefused(f"the argument {name} does not take this value", name=name)
