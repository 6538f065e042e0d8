"""What differs between two configurations, in IOS's three ways of saying so."""

from collections.abc import Iterator

from drivers.lab.ios.config import Config, is_virtual, starts_with

_NONE = "!No changes were found\n"


def contextual(old: Config, new: Config) -> str:
    """`show archive config differences`: `-` is only in the old one, `+` only in the new one."""
    lines = [*_contextual(old, new)]
    return "!Contextual Config Diffs:\n" + ("".join(f"{line}\n" for line in lines) or _NONE)


def _contextual(old: Config, new: Config) -> Iterator[str]:
    for top in _tops(new, old):
        if top not in old.blocks or top not in new.blocks:
            sign = "+" if top in new.blocks else "-"
            yield from (sign + line for line in top.split("\n"))
            yield from (f" {sign}{line}" for line in (new if sign == "+" else old).blocks[top])
            continue
        gone, come = _changes(old.blocks[top], new.blocks[top])
        if gone or come:
            yield from (top, *(f" -{line}" for line in gone), *(f" +{line}" for line in come))


def _tops(one: Config, other: Config) -> list[str]:
    """The top-level lines of both, each once."""
    return list(dict.fromkeys([*one.blocks, *other.blocks]))


def _changes(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    return [line for line in old if line not in new], [line for line in new if line not in old]


def incremental(running: Config, file: Config, *, ignorecase: bool) -> str:
    """`show archive config incremental-diffs`: the lines of a file that would change something."""
    lines = [*_incremental(running, file, ignorecase)]
    listed = "".join(f"{line}\n" for line in lines)
    return f"!List of Commands:\n{listed}end\n" + ("" if lines else _NONE)


def _incremental(running: Config, file: Config, ignorecase: bool) -> Iterator[str]:
    for top, below in file.blocks.items():
        have = running.blocks.get(top, [])
        news = [line for line in below if _matters(line, have, ignorecase)]
        if news or _matters(top, list(running.blocks), ignorecase):
            yield from (*top.split("\n"), *(f" {line}" for line in news))


def _matters(line: str, have: list[str], ignorecase: bool) -> bool:
    """Whether a line changes anything: a new one does, and the denial of one that is there."""
    if ignorecase:
        line, have = line.lower(), [each.lower() for each in have]
    denied = line.removeprefix("no ")
    if denied != line:
        return any(starts_with(each, denied) for each in have)
    return line not in have


def commands(old: Config, new: Config) -> Iterator[str]:
    """The lines that lead from one to the other, as `configure replace … list` shows them."""
    for top in old.blocks:
        if top not in new.blocks and (not top.startswith("interface ") or is_virtual(top.partition(" ")[2])):
            yield _denied(top).partition("\n")[0]
    for top, below in new.blocks.items():
        gone, come = _changes(old.blocks.get(top, []), below)
        if gone or come or top not in old.blocks:
            yield from (*top.split("\n"), *(f" {_denied(line)}" for line in gone), *(f" {line}" for line in come))


def _denied(line: str) -> str:
    return line.removeprefix("no ") if line.startswith("no ") else f"no {line}"
