"""Results of TTP templates. TTP evaluates code that stands in them, by design: only the sandbox holds it."""

from __future__ import annotations

import logging
import os
import pkgutil
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any
from xml.etree.ElementTree import ParseError

import ttp
import ttp_templates.utils

from jobs.templating.errors import ParsingFailed, TemplateRefused
from jobs.templating.fields import options, text

_STATE = ("macro", "global_vars", "template_obj", "vars")
_WARM_UP = """<lookup name="ini" load="ini">\n[a]\nb = 1\n</lookup><lookup name="csv" load="csv">\na,b\n1,2\n</lookup>
<vars load="yaml">\na: b\n</vars><vars load="json">{"a": 1}</vars>
<group>\na {{ b | to_int }}\n</group><output format="pprint"/><output format="yaml"/><output format="json"/>"""
"""Has everything imported that TTP imports only when it is used."""

_WRAPPING_LINES = 2
"""A line feed of ours and a tag of TTP's go before the template."""


def load() -> Callable[[Mapping[str, Any]], Any]:
    """The engine, with every function of TTP loaded: {template, text, vars?} → its results, a flat list."""
    functions = _functions()
    fresh = {name: dict(functions[name]) for name in functions if isinstance(functions[name], dict)}
    # It would look for its functions in files, with each parser anew.
    import_module("ttp.ttp").__dict__["lazy_import_functions"] = lambda: functions

    def parse(task: Mapping[str, Any]) -> Any:
        """What an earlier template registered is gone: the dictionary is one that TTP's modules hold on to."""
        before = {name: dict(functions_of) for name, functions_of in fresh.items()}
        functions.update(before)
        for name in functions.keys() - before.keys() - {"python_major_version", "__version__"}:
            del functions[name]
        return _results(text(task, "template"), text(task, "text"), options(task, "vars"))

    parse({"template": _WARM_UP, "text": "a 1\n"})
    return parse


def _functions() -> dict[str, Any]:
    """TTP's functions by kind, imported now. No cache file: it is a pickle, and would lie in a shared folder."""
    os.environ["TTPCACHEFOLDER"] = os.devnull
    logging.disable(logging.CRITICAL)  # TTP's warnings quote template and text; standard error is closed soon anyway
    functions: dict[str, Any] = import_module("ttp.ttp").lazy_import_functions()
    for kind in [name for name in functions if name not in _STATE and isinstance(functions[name], dict)]:
        for name, function in list(functions[kind].items()):
            try:
                function.load()
            except (
                ImportError,
                AttributeError,
                SystemExit,
            ):  # an optional library is not there; or it is loaded already
                functions[kind][name] = functions[kind].get(name, function)
    for module in pkgutil.walk_packages(ttp_templates.utils.__path__, "ttp_templates.utils."):
        import_module(module.name)  # the macros of ttp-templates import them
    return functions


def _results(template: str, parsed: str, variables: dict[str, Any]) -> Any:
    """A leading line feed: TTP would take a text that is the name of a file, or begins with ttp://, for just that."""
    try:
        parser = ttp.ttp(data="\n" + parsed, template="\n" + template, log_level="NONE", vars=variables)
        parser.parse(one=True)
        return parser.result(structure="flat_list")
    except ParseError as error:
        line = max(error.position[0] - _WRAPPING_LINES, 1)
        raise ParsingFailed("the template's tags do not match, or & and < are not escaped", line=line) from None
    except (MemoryError, TemplateRefused):
        raise
    except SystemExit:
        raise ParsingFailed("TTP does not understand the template") from None
    except Exception as error:  # noqa: BLE001 - the template's own code may raise anything
        raise ParsingFailed(f"the template failed ({type(error).__name__})") from None
