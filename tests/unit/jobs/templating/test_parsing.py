"""TextFSM and regexes: records, and what their errors say."""

from __future__ import annotations

import ntc_templates.parse
import pytest

from jobs.templating.catalogues import NtcTemplates
from jobs.templating.engines import fsm, regex
from jobs.templating.errors import ParsingFailed, TemplateRefused

SECRET = "hunter2"
MODULES = """Mod  Card Type                                    Model              Serial No.
---- -------------------------------------------- ------------------ -----------
   0 ASA 5555-X with SW, 8 GE Data, 1 GE Mgmt     ASA5555            FCH1234ABCD
 ips Unknown                                      N/A                FCH1234ABCD

Mod  MAC Address Range                 Hw Version   Fw Version   Sw Version
---- --------------------------------- ------------ ------------ ---------------
   0 6073.5c68.c5ad to 6073.5c68.c5b6  1.0          2.1(9)8      9.1(2)
 ips 6073.5c68.c5ab to 6073.5c68.c5ab  N/A          N/A

Mod  SSM Application Name           Status           SSM Application Version
---- ------------------------------ ---------------- --------------------------
 ips Unknown                        No Image Present Not Applicable

Mod  Status             Data Plane Status     Compatibility
---- ------------------ --------------------- -------------
   0 Up Sys             Not Applicable
 ips Unresponsive       Not Applicable
"""


def test_several_templates_join_as_their_own_library_joins_them() -> None:
    templates = NtcTemplates().template("cisco_asa", "show module")
    theirs = ntc_templates.parse.parse_output("cisco_asa", "show module", MODULES)

    assert len(templates) == 3
    assert fsm.parse({"template": templates, "text": MODULES, "lower": True}) == theirs
    assert len(theirs) > 1


@pytest.mark.parametrize(
    ("template", "message", "line"),
    [
        ("", "Missing state 'Start'", None),
        ("Value A (\\d+)\n\nStart\n  ^${B} -> Record\n", "variable substitution", 4),
        ("Value A (\\d+)\n\nStart\n  ^${A -> Recrd\n", "", 4),
        ("Value A \\d+\n\nStart\n", 'Unknown option "A"', 1),
        ("Value A (\\d+)\n\nNot\n  ^${A}\n", "Missing state 'Start'", None),
        ("Value A (\\d+)\n\nStart\n  ^.*pass -> Error\n", "a rule of the template refuses the text", 4),
        ('Value A (\\d+)\n\nStart\n  ^.*pass -> Error "no such"\n', 'refuses the text: "no such"', 4),
    ],
)
def test_errors_of_textfsm_name_the_line_but_not_the_text(template: str, message: str, line: int | None) -> None:
    with pytest.raises(ParsingFailed) as failed:
        fsm.parse({"template": template, "text": f"pass {SECRET}. Rule Line: 99. Input Line: x"})

    assert message in failed.value.message
    assert failed.value.line == line
    assert SECRET not in str(failed.value)


def test_regexes() -> None:
    pattern = r"(?P<name>\w+)(?: is (?P<state>up|down))?;"
    assert regex.parse({"pattern": pattern, "text": "a is UP;b;", "flags": ["ignorecase"]}) == [
        {"name": "a", "state": "UP"},
        {"name": "b", "state": None},
    ]
    assert len(regex.parse({"pattern": r"^(?P<a>\d)$", "text": "1\n2", "flags": ["multiline"]})) == 2


@pytest.mark.parametrize(
    ("task", "kind", "message"),
    [
        ({"pattern": r"(\w+)", "text": ""}, ParsingFailed, "at least one named group"),
        ({"pattern": "(?P<a>", "text": ""}, ParsingFailed, "not valid: missing \\)"),
        ({"pattern": "(?P<a>x)", "text": "", "flags": ["locale"]}, TemplateRefused, "flags must be"),
        ({"pattern": "(?P<a>x)", "text": "", "flags": [[]]}, TemplateRefused, "flags must be"),
        ({"pattern": "(?P<a>x)", "text": "", "flags": 7}, TemplateRefused, "flags must be"),
        ({"pattern": None, "text": ""}, TemplateRefused, "pattern must be a text"),
        ({"pattern": "(?P<a>x)"}, TemplateRefused, "text must be a text"),
    ],
)
def test_errors_of_regexes(task: dict[str, object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        regex.parse(task)
