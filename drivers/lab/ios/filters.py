"""`| include`, `| exclude`, `| begin`, `| section`."""

import re
from collections.abc import Callable, Iterable, Iterator

from drivers.lab.ios.grammar import Incomplete, Invalid, words_of

Filter = Callable[[Iterable[str]], Iterator[str]]
Test = Callable[[str], object]

_NAMES = ("begin", "exclude", "include", "section")


def split_pipe(line: str) -> tuple[str, int | None]:
    """The command, and the column after the first ` | `, if there is one."""
    command, pipe, _ = line.partition(" | ")
    return command, len(command) + len(pipe) if pipe else None


def parse_filter(line: str, start: int) -> Filter:
    """Read what follows the `|` at column `start`. Raises CliError."""
    words = words_of(line, start)
    if not words:
        raise Incomplete
    names = [name for name in _NAMES if name.startswith(words[0].text.lower())]
    if not names:
        raise Invalid(words[0].column)
    if len(words) < 2:
        raise Incomplete
    test = compile_pattern(line[words[1].column :].rstrip())
    return lambda lines: _FILTERS[names[0]](test, lines)


def compile_pattern(text: str) -> Test:
    """A test for the part of IOS's expressions that cannot run away: literals, `^`, `$`, `.`, `\\x` and `a|b`."""
    pattern = re.sub(r"\\(.)|([\^$.|])|(.)", _translate, text)
    return re.compile(pattern).search


def _translate(match: re.Match[str]) -> str:
    escaped, special, plain = match.groups()
    return str(special) if special else re.escape(escaped or plain)


def _begin(test: Test, lines: Iterable[str]) -> Iterator[str]:
    found = False
    for line in lines:
        found = found or bool(test(line))
        if found:
            yield line


def _section(test: Test, lines: Iterable[str]) -> Iterator[str]:
    """Lines that match, with the indented ones below them."""
    inside = False
    for line in lines:
        inside = bool(test(line)) or (inside and line.startswith(" "))
        if inside:
            yield line


_FILTERS: dict[str, Callable[[Test, Iterable[str]], Iterator[str]]] = {
    "begin": _begin,
    "exclude": lambda test, lines: (line for line in lines if not test(line)),
    "include": lambda test, lines: (line for line in lines if test(line)),
    "section": _section,
}
