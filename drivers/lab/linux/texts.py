"""Programs that read text: files, or their input."""

import hashlib
from collections.abc import Callable, Iterator

from drivers.lab.linux.session import Program, Result, Session


def _reader(program: str, show: Callable[[str, list[str], str], str]) -> Program:
    """A program that reads files, or its input, and shows something of each."""

    async def run(session: Session, args: list[str], given: str) -> Result:
        options, names = _split(args)
        said, status = "", 0
        for name in names or ["-"]:
            text = given if name == "-" else session.read(name)
            if isinstance(text, str):
                said += show(text, options, name)
            else:
                said, status = said + f"{program}: {name}: {text.strerror}\n", 1
        return Result(said, status)

    return run


def _split(args: list[str]) -> tuple[list[str], list[str]]:
    """Options (`-n 5` as one or two words) and file names."""
    options, names, rest = list[str](), list[str](), iter(args)
    for arg in rest:
        if arg == "-n":
            options.append("-" + next(rest, "10"))
        elif arg.startswith("-") and arg != "-":
            options.append(arg)
        else:
            names.append(arg)
    return options, names


def _lines(text: str, options: list[str]) -> tuple[list[str], int]:
    counts = [int(option.lstrip("-n")) for option in options if option.lstrip("-n").isdecimal()]
    return text.splitlines(keepends=True), (counts or [10])[0]


def _head(text: str, options: list[str], _: str) -> str:
    lines, count = _lines(text, options)
    return "".join(lines[:count])


def _tail(text: str, options: list[str], _: str) -> str:
    lines, count = _lines(text, options)
    return "".join(lines[-count:]) if count else ""


def _cat(text: str, _: list[str], __: str) -> str:
    return text


def _wc(text: str, _: list[str], name: str) -> str:
    """Lines only, as `wc -l`."""
    return f"{text.count(chr(10))}{f' {name}' if name != '-' else ''}\n"


def _md5(text: str, _: list[str], name: str) -> str:
    return f"{hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()}  {name}\n"


async def _grep(session: Session, args: list[str], given: str) -> Result:
    """Fixed strings only, `-v` and `-i`."""
    options, names = _split(args)
    if not names:
        return Result("Usage: grep [OPTION]... PATTERNS [FILE]...\n", 2)
    texts = [session.read(name) for name in names[1:]] or [given]
    named = zip(names[1:], texts, strict=False)
    missing = [f"grep: {name}: {error.strerror}\n" for name, error in named if isinstance(error, OSError)]
    found = list(_matching(names[0], options, [text for text in texts if isinstance(text, str)]))
    return Result("".join([*missing, *found]), 2 if missing else int(not found))


def _matching(pattern: str, options: list[str], texts: list[str]) -> Iterator[str]:
    fold = str.lower if "-i" in options else str
    for line in (line for text in texts for line in text.splitlines()):
        if (fold(pattern) in fold(line)) != ("-v" in options):
            yield f"{line}\n"


PROGRAMS: dict[str, Program] = {
    "cat": _reader("cat", _cat),
    "grep": _grep,
    "head": _reader("head", _head),
    "md5sum": _reader("md5sum", _md5),
    "tail": _reader("tail", _tail),
    "wc": _reader("wc", _wc),
}
