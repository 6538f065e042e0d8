"""What may follow a `|`: the form of a configuration, and filters of lines."""

from collections.abc import Iterable

from drivers.lab.ios.grammar import Invalid


def split(line: str) -> tuple[str, list[str]]:
    """The command, and the pipes after it."""
    command, *pipes = line.split("|")
    return command.rstrip(), [" ".join(pipe.split()) for pipe in pipes]


def filtered(text: str, pipes: Iterable[str]) -> str:
    """Pass a text through filters. Raises Invalid for one that does not exist."""
    for pipe in pipes:
        name, _, argument = pipe.partition(" ")
        text = _filter(text, name, argument.strip('"'))
    return text


def _filter(text: str, name: str, argument: str) -> str:
    lines = text.splitlines(keepends=True)
    match name:
        case "no-more":
            return text
        case "count":
            return f"Count: {len(lines)} lines\n"
        case "match":
            return "".join(line for line in lines if argument in line)
        case "except":
            return "".join(line for line in lines if argument not in line)
        case "last":
            return "".join(lines[-int(argument or 10) :]) if (argument or "10").isdecimal() else ""
        case "find":
            at = next((n for n, line in enumerate(lines) if argument in line), len(lines))
            return "".join(lines[at:])
    raise Invalid(0)
