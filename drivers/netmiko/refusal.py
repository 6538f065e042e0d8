"""How platforms say no. Anchored, vetted patterns; users add literal texts only (a regex could freeze the process)."""

from __future__ import annotations

import re

_CISCO = (
    r"% ?(?:Invalid|Incomplete|Ambiguous|Unknown|Unrecognized|Unavailable|Authorization failed|Permission denied"
    r"|Access denied|Bad |Command incomplete|Not enough|Too many parameters|No such|Error|.{0,80}overlaps with)"
    r"|Command authorization failed|Syntax error while parsing|ERROR: "
    r"|Invalid (?:input|command)|(?:Error|ERROR): ?% ?(?:Invalid|Incomplete|Ambiguous)"
)
_JUNOS = r"syntax error|unknown command\.|error: |missing argument|missing mandatory|invalid (?:value|input|numeric)"
_VRP = r"Error ?: ?|% ?(?:Unrecognized|Incomplete|Ambiguous|Wrong parameter|Too many parameters)|% Permission denied"

_FAMILIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("juniper",), _JUNOS),
    (("huawei", "hp_comware"), _VRP),
    (("mikrotik",), r"bad command name|expected |syntax error|input does not match|no such item|failure: "),
    (("fortinet",), r"Unknown action|Command fail\. Return code|command parse error|node_check_object fail"),
    (("paloalto",), r"Invalid syntax\.|Unknown command: |Server error ?: |Validation Error"),
    (("nokia_sros", "alcatel_sros"), r"Error: |MINOR: |MAJOR: |CRITICAL: "),
    (("nokia_srl",), r"Parsing error: |Error: "),
    (
        ("vyos", "vyatta", "ubiquiti_edgerouter"),
        r"Invalid command: |Configuration path: |Set failed|Delete failed",
    ),
    (("aruba_os", "hp_procurve"), r"(?:Invalid|Incomplete|Ambiguous) input: |% (?:Invalid|Parse error)"),
    (("extreme",), r"%% ?(?:Invalid|Incomplete|Unrecognized|Ambiguous)|Error: " + "|" + _CISCO),
    (("linux", "generic", "terminal_server", "dell_isilon", "ovs_linux", "netapp", "checkpoint"), ""),
)
"""Prefixes of netmiko device types, and how a refusal begins there ("": no way to tell). Others speak Cisco's way."""

_SHORT_LINES = 8
_SHORT_CHARACTERS = 2000
"""A refusal prints a few lines. Longer output is content: a log may well list refusals of others."""


class Refusals:
    """Recognises what one platform prints when it refuses a line; `extra` is a literal text that means the same."""

    def __init__(self, device_type: str, extra: str | None = None) -> None:
        beginnings = next((text for names, text in _FAMILIES if device_type.startswith(names)), _CISCO)
        self._refusal = re.compile(rf"^[ \t]{{0,80}}(?:{beginnings})", re.MULTILINE) if beginnings else None
        self._extra = extra

    def in_answer(self, output: str) -> bool:
        """Whether the answer to a read command is a refusal."""
        return _is_short(output) and self._found(output)

    def in_change(self, output: str) -> bool:
        """Whether a configuration line was refused."""
        return bool(self._extra and self._extra in output) or self._found(output[-_SHORT_CHARACTERS:])

    def _found(self, output: str) -> bool:
        return bool(self._refusal and self._refusal.search(output))


def _is_short(output: str) -> bool:
    return len(output) <= _SHORT_CHARACTERS and output.strip().count("\n") < _SHORT_LINES
