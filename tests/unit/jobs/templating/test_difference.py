"""The engine that compares two texts."""

import pytest

from jobs.templating.engines.difference import unified


def compare(before: str, after: str) -> list[str]:
    task = {"before": before, "after": after, "before_name": "old", "after_name": "new"}
    return [line for line in unified(task)["text"].split("\n") if line]


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ("a\nb", "a\nb", []),
        ("a\nb", "a\nc", ["--- old", "+++ new", "@@ -1,2 +1,2 @@", " a", "-b", "+c"]),
        ("", "a", ["--- old", "+++ new", "@@ -0,0 +1 @@", "+a"]),
        ("a", "", ["--- old", "+++ new", "@@ -1 +0,0 @@", "-a"]),
        ("a\n", "a", ["--- old", "+++ new", "@@ -1,2 +1 @@", " a", "-"]),
        ("a\r\nb", "a\nb", ["--- old", "+++ new", "@@ -1,2 +1,2 @@", "-a\r", "+a", " b"]),
    ],
    ids=["equal", "changed", "from-nothing", "to-nothing", "last-line-break", "line-ends"],
)
def test_lines(before: str, after: str, lines: list[str]) -> None:
    assert compare(before, after) == lines
