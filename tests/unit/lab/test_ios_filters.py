"""The pipes of `show`."""

import pytest

from drivers.lab.ios.filters import compile_pattern, parse_filter
from drivers.lab.ios.grammar import Incomplete, Invalid

LINES = ["hostname R1", "interface Gi0/0", " ip address 192.0.2.1", " shutdown", "interface Gi0/1", "line vty 0 4"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("include Gi0", ["interface Gi0/0", "interface Gi0/1"]),
        ("i ^line|shut", [" shutdown", "line vty 0 4"]),
        ("exclude i", ["hostname R1", " shutdown"]),
        ("begin Gi0/1", ["interface Gi0/1", "line vty 0 4"]),
        ("section Gi0/0", ["interface Gi0/0", " ip address 192.0.2.1", " shutdown"]),
    ],
)
def test_filters(text: str, found: list[str]) -> None:
    assert list(parse_filter(text, 0)(LINES)) == found


@pytest.mark.parametrize("text", ["(a+)+$", "[x", "a{9}", "*"])
def test_what_could_run_away_or_fail_is_taken_literally(text: str) -> None:
    test = compile_pattern(text)
    assert test(f"see {text.rstrip('$')}")
    assert not test("a" * 50 + "b")


def test_a_filter_needs_a_name_and_a_text() -> None:
    with pytest.raises(Invalid):
        parse_filter("show x | bogus y", 9)
    with pytest.raises(Incomplete):
        parse_filter("show x | include", 9)
