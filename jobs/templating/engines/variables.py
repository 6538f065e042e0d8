"""Which variables a jinja2 template wants, as a JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateSyntaxError, meta, nodes

from jobs.templating.engines.filters import filters
from jobs.templating.engines.jinja import environment_for, syntax_tree
from jobs.templating.errors import RenderingFailed
from jobs.templating.fields import options, text

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_OPTIONAL_FILTERS = frozenset({"default", "d"})
_OPTIONAL_TESTS = frozenset({"defined", "undefined"})

Schema = dict[str, Any]


def variables(task: Mapping[str, Any]) -> Schema:
    """{template, args?} → a JSON schema of its context: the variables, and their attributes where that can be told.

    Required are those that the template neither gives a default nor asks whether they are defined.
    """
    environment = environment_for(options(task))
    environment.filters.update(filters())
    tree = syntax_tree(environment, text(task, "template"))
    wanted = _undeclared(tree) - environment.globals.keys()
    root: Schema = {"type": "object", "properties": {name: {} for name in sorted(wanted)}}
    _walk(tree, dict(root["properties"]))
    required = sorted(wanted - _optional(tree))
    return {"$schema": _DRAFT, **root, **({"required": required} if required else {})}


def _undeclared(tree: nodes.Template) -> set[str]:
    try:
        return meta.find_undeclared_variables(tree)
    except TemplateSyntaxError as error:  # an unknown filter or test, for example
        raise RenderingFailed(error.message or "not a valid template", line=error.lineno) from None


def _walk(node: nodes.Node, known: dict[str, Schema]) -> None:
    """Write into the schemas of `known` what `node` says of them; a loop's variable is known within it."""
    if isinstance(node, nodes.For):
        _walk(node.iter, known)
        within = _bound(node.target, _items(node.iter, known), known)
        for inner in (*node.body, *node.else_, *([node.test] if node.test else [])):
            _walk(inner, within)
        return
    if isinstance(node, (nodes.Getattr, nodes.Getitem)):
        _schema(node, known)
    for inner in node.iter_child_nodes():
        _walk(inner, known)


def _schema(node: nodes.Node, known: dict[str, Schema]) -> Schema | None:
    """Of the value that `node` reads, made where it is missing; None where nothing can be told."""
    if isinstance(node, nodes.Name):
        return known.get(node.name)
    attribute = _attribute(node)
    owner = _schema(node.node, known) if isinstance(node, (nodes.Getattr, nodes.Getitem)) else None
    if attribute is None or owner is None or owner.setdefault("type", "object") != "object":
        return None
    found: Schema = owner.setdefault("properties", {}).setdefault(attribute, {})
    return found


def _attribute(node: nodes.Node) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        return node.arg.value
    return None


def _items(iterated: nodes.Node, known: dict[str, Schema]) -> Schema | None:
    """The schema of the members of what a loop runs over."""
    if isinstance(iterated, nodes.Call):  # x.items() and its like: an object, whose names cannot be told
        return None
    over = _schema(iterated, known)
    if over is None or over.setdefault("type", "array") != "array":
        return None
    members: Schema = over.setdefault("items", {})
    return members


def _bound(target: nodes.Node, items: Schema | None, known: dict[str, Schema]) -> dict[str, Schema]:
    shadowed = {name.name for name in (target, *target.find_all(nodes.Name)) if isinstance(name, nodes.Name)}
    within = {name: schema for name, schema in known.items() if name not in shadowed}
    if isinstance(target, nodes.Name) and items is not None:
        within[target.name] = items
    return within


def _optional(tree: nodes.Template) -> set[str]:
    asked = [node.node for node in tree.find_all(nodes.Filter) if node.name in _OPTIONAL_FILTERS]
    asked += [node.node for node in tree.find_all(nodes.Test) if node.name in _OPTIONAL_TESTS]
    return {node.name for node in asked if isinstance(node, nodes.Name)}
