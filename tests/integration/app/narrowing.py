"""The description with fewer values in it: those that mean something to the service.

A schema says of a host that it is a text; hardly any text is a host, and with all others no handler gets far.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

_REF = "#/components/schemas/"

Described = dict[str, Any]


def narrowed(description: Described, values: Mapping[str, list[Any]]) -> Described:
    """A copy in which the parameters of these names, and the fields of bodies, have only these values.

    What answers are described by stays as it is.
    """
    whole = copy.deepcopy(description)
    for part in list(_asked(whole)):
        if part.get("in") in ("path", "query") and part["name"] in values and "enum" not in part["schema"]:
            part["schema"] = {"enum": values[part["name"]]}
        fields = part.get("properties")
        if isinstance(fields, dict):
            fields |= {name: {"enum": values[name]} for name in fields.keys() & values.keys()}
    return whole


def _asked(whole: Described) -> Iterator[Described]:
    """Every object that describes parameters and bodies, also by reference."""
    operations = [item for methods in whole["paths"].values() for item in methods.values()]
    waiting: list[Any] = [item.get(name) for item in operations for name in ("parameters", "requestBody")]
    seen = set()
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, str) and part.startswith(_REF) and part not in seen:
            seen.add(part)
            waiting.append(whole["components"]["schemas"][part.removeprefix(_REF)])
