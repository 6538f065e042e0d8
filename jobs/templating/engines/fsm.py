"""Records from TextFSM templates."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

from textfsm import TextFSM, TextFSMError, TextFSMTemplateError
from textfsm.texttable import TextTable

from jobs.templating.errors import ParsingFailed, TemplateRefused
from jobs.templating.fields import text

_LINE = re.compile(r"[. ]*Line:? (\d+)\.?$")
_RULE = re.compile(r"(?:Error: (?P<said>.*?)|State Error raised)\. Rule Line: (?P<line>\d+)\.", re.DOTALL)


def parse(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """{template, text, lower?} → a record per row, by the names of the template's values (in lower case if `lower`).

    `template` may be a list: the columns of the others join the first one's rows by its Key values, as
    textfsm.clitable does it.
    """
    templates = task.get("template")
    machines = [_machine(template) for template in (templates if isinstance(templates, list) else [templates])]
    if not machines:
        raise TemplateRefused("template must be a text, or a list of them", name="template")
    parsed = text(task, "text")
    header, rows = _rows(machines[0], parsed) if len(machines) == 1 else _joined(machines, parsed)
    names = [name.lower() for name in header] if task.get("lower") else header
    return [dict(zip(names, row, strict=True)) for row in rows]


def _machine(template: object) -> TextFSM:
    if not isinstance(template, str):
        raise TemplateRefused("template must be a text, or a list of them", name="template")
    try:
        return TextFSM(io.StringIO(template))
    except TextFSMTemplateError as error:
        place = _LINE.search(str(error))
        raise ParsingFailed(_LINE.sub("", str(error)), line=int(place[1]) if place else None) from None
    except (re.error, ValueError, IndexError, OverflowError, RecursionError) as error:
        raise ParsingFailed(f"not a TextFSM template ({type(error).__name__})") from None


def _rows(machine: TextFSM, parsed: str) -> tuple[list[str], list[list[Any]]]:
    try:
        return machine.header, machine.ParseText(parsed)
    except TextFSMError as error:
        raise _refusal(str(error)) from None


def _refusal(message: str) -> ParsingFailed:
    """Of a rule with the action Error. The message of TextFSM ends with the line of the text, which is not repeated."""
    rule = _RULE.match(message)
    said = f": {rule['said']}" if rule and rule["said"] else ""
    return ParsingFailed(f"a rule of the template refuses the text{said}", line=int(rule["line"]) if rule else None)


def _joined(machines: list[TextFSM], parsed: str) -> tuple[list[str], list[list[Any]]]:
    first, *others = machines
    table, keys = _table(first, parsed), set(first.GetValuesByAttrib("Key"))
    for machine in others:
        table.extend(_table(machine, parsed), keys)
    return list(table.header), [list(row) for row in table]


def _table(machine: TextFSM, parsed: str) -> TextTable:
    header, rows = _rows(machine, parsed)
    table = TextTable()
    table.header = header
    for row in rows:
        table.Append(row)
    return table
