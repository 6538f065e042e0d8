"""Rendering: what a template may ask for, and what its errors say."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.templating.engines.jinja import load
from jobs.templating.engines.variables import variables
from jobs.templating.errors import RenderingFailed, TemplateRefused

SECRET = "hunter2"


def text(template: str, context: dict[str, Any] | None = None, **arguments: Any) -> str:
    return load()({"template": template, "context": context or {}, "args": arguments})["text"]


@pytest.mark.parametrize(
    ("template", "context", "message", "line", "name"),
    [
        ("a\n{{ b }}", {}, "'b' is undefined", 2, "b"),
        ("a\n\n{{ b.c }}", {"b": {}}, "'c' is undefined", 3, "c"),
        ("{{ b['c-d'] }}", {"b": {}}, "'c-d' is undefined", 1, "c-d"),
        ("{{ b[c] }}", {"b": {}, "c": SECRET}, "a value is undefined", 1, None),
        ("{{ b | to_json }}", {}, "'b' is undefined", 1, "b"),
        ("{% if a %}\n{{ b\n", {}, "unexpected end of template", 2, None),
        ("a\n{{ b | nope }}", {}, "No filter named 'nope'", 2, None),
        ("\n{{ b | asn_to_int }}", {"b": SECRET}, "the filter 'asn_to_int' failed (ValueError)", 2, "asn_to_int"),
        ("{{ a + 1 }}", {"a": SECRET}, "an expression failed (TypeError)", 1, None),
        ("{{ 1 / 0 }}", {}, "an expression failed (ZeroDivisionError)", 1, None),
        ("{% macro a(x) %}\n{{ x.y }}\n{% endmacro %}\n{{ a({}) }}", {}, "'y' is undefined", 2, "y"),
        ("\n{% include 'a' %}", {}, "a template stands alone", 2, None),
    ],
)
def test_errors_name_line_and_name_but_no_value(
    template: str, context: dict[str, Any], message: str, line: int, name: str | None
) -> None:
    with pytest.raises(RenderingFailed) as failed:
        text(template, context)

    assert message in failed.value.message
    assert (failed.value.line, failed.value.name) == (line, name)
    assert SECRET not in str(failed.value)


def test_arguments() -> None:
    block = "{% if true %}\n  a\n{% endif %}\n"
    assert text(block) == "\n  a\n"
    assert text(block, trim_blocks=True) == "  a\n"
    assert text("a\n", keep_trailing_newline=True, newline_sequence="\r\n") == "a\r\n"
    assert text("% for i in [1, 2]\n{{ i }}\n% endfor", line_statement_prefix="%") == "1\n2\n"
    assert text("<< a >>", {"a": 1}, variable_start_string="<<", variable_end_string=">>") == "1"
    for wrong in (
        {"trim_blocks": 1},
        {"newline_sequence": "x"},
        {"block_start_string": ""},
        {"block_start_string": "x" * 9},
        {"extensions": ["os"]},
        {"autoescape": True},
    ):
        with pytest.raises(TemplateRefused) as refused:
            text("", **wrong)
        assert refused.value.name in wrong


@pytest.mark.parametrize(
    ("expression", "rendered"),
    [
        ("'192.0.2.5/24' | ipaddr('netmask')", "255.255.255.0"),
        ("'192.0.2.5/24' | ipaddr('network/prefix')", "192.0.2.0/24"),
        ("'192.0.2.5/24' | ipaddr('wildcard')", "0.0.0.255"),
        ("'192.0.2.5/24' | ipaddr('first_usable')", "192.0.2.1"),
        ("'192.0.2.0/31' | ipaddr('last_usable')", "192.0.2.1"),
        ("'192.0.2.0/24' | ipaddr(1)", "192.0.2.1/24"),
        ("'192.0.2.0/24' | ipaddr(-2) | ipaddr('address')", "192.0.2.254"),
        ("'x' | ipaddr", "False"),
        ("['192.0.2.1', 'x', '2001:db8::1'] | ipv6", "['2001:db8::1']"),
        ("['192.0.2.1', 'x', '2001:db8::1'] | ipv4", "['192.0.2.1']"),
        ("'2001:db8::/32' | ipsubnet(48, 1)", "2001:db8:1::/48"),
        ("'10.0.0.0/8' | ipsubnet(24)", "65536"),
        ("'10.0.0.0/8' | ipsubnet(24, -1)", "10.255.255.0/24"),
        ("'192.0.2.1' | ipmath(5)", "192.0.2.6"),
        ("'192.0.2.0/24' | nthhost(10)", "192.0.2.10"),
        ("'192.0.2.0/24' | cidr_contains('192.0.2.128/25')", "True"),
        ("'192.0.2.0/24' | cidr_contains('2001:db8::1')", "False"),
        ("['192.0.2.0/25', '192.0.2.128/25'] | cidr_merge", "['192.0.2.0/24']"),
        ("'255.255.255.0' | netmask_to_cidr", "24"),
        ("'GigabitEthernet0/1' | abbreviated_interface_name", "Gi0/1"),
        ("[1, 2, 3, 5] | vlanlist_to_config", "['1-3,5']"),
        ("'Gi0/1' | regex_replace('^Gi', 'Te')", "Te0/1"),
        ("'vlan 12' | regex_search('(\\\\d+)', '\\\\1') | first", "12"),
        ("'a1b2' | regex_findall('[0-9]') | join", "12"),
        ("{'a': [1]} | to_json", '{"a": [1]}'),
        ("{'b': 1, 'a': 2} | to_yaml", "a: 2\nb: 1\n"),
        ("('{\"a\": 1}' | from_json).a", "1"),
        ("{'a': 1} | combine({'a': 2}) | to_json", '{"a": 2}'),
        ("'a,b' | split(',') | last", "b"),
        ("true | ternary('x', 'y')", "x"),
        ("'a\\nb' | indent", "a\n    b"),
        ("'x' | hash('sha256') | length", "64"),
        ("'a' | b64encode | b64decode", "a"),
    ],
)
def test_filters(expression: str, rendered: str) -> None:
    assert text("{{ " + expression + " }}") == rendered


def test_the_schema_of_a_template() -> None:
    template = """{% for port in ports if port.up %}{{ port.name }}{{ port.vlan.id }}{% endfor %}
    {% for name, value in extra.items() %}{{ name }}{% endfor %}{% set local = 1 %}{{ local }}
    {{ host['name'] }} {{ note | default('') }} {% if more is defined %}{{ more }}{% endif %} {{ range(3) }}"""
    schema = variables({"template": template})

    assert schema["required"] == ["extra", "host", "ports"]
    assert sorted(schema["properties"]) == ["extra", "host", "more", "note", "ports"]
    assert schema["properties"]["host"] == {"type": "object", "properties": {"name": {}}}
    port = {"up": {}, "name": {}, "vlan": {"type": "object", "properties": {"id": {}}}}
    assert schema["properties"]["ports"] == {"type": "array", "items": {"type": "object", "properties": port}}
    with pytest.raises(RenderingFailed, match="line 1"):
        variables({"template": "{{"})
