"""From a line to what the switch says: the same for a terminal and for eAPI."""

import json
from collections.abc import Iterator

from drivers.lab.eos import configure
from drivers.lab.eos.errors import UNCONVERTED, Refused, refused, unprivileged
from drivers.lab.eos.exec import GRAMMAR
from drivers.lab.eos.reading import check_spelling
from drivers.lab.eos.session import Command, Do, Reply, Session, said
from drivers.lab.ios.filters import Filter, parse_filter, split_pipe
from drivers.lab.ios.grammar import CliError, Parsed
from drivers.lab.terminal import Output


async def obey(session: Session, line: str, *, complete: bool = True) -> Reply:
    """Run one command in the session's mode. Raises Refused; nothing has changed then.

    `complete` False: words must be typed in full, as eAPI has it unless asked for `autoComplete`.
    """
    try:
        if session.places is None:
            return await _execute(session, line, complete=complete)
        return await _configure(session, line, complete=complete)
    except CliError as error:
        raise refused(line, error) from None


async def _configure(session: Session, line: str, *, complete: bool) -> Reply:
    """A line in configuration mode. All exec commands work there too."""
    try:
        await configure.obey(session, line, complete=complete)
    except CliError as error:
        try:
            return await _execute(session, line, complete=complete)
        except CliError:
            raise error from None
    return said("")


async def _execute(session: Session, line: str, *, complete: bool) -> Reply:
    command, pipe = split_pipe(line)
    parsed = _parse(session, command)
    if not complete:
        check_spelling(command, parsed.words)
    if isinstance(parsed.action, Do):
        return said(await parsed.action.run(session, parsed.args))
    reply = parsed.action.run(session, parsed.args)
    return reply if pipe is None else _piped(line, pipe, reply)


def _parse(session: Session, command: str) -> Parsed[Command]:
    """Raises CliError, or Refused for what needs more privilege."""
    parsed = GRAMMAR.parse(command)
    if parsed.action.level > session.privilege:
        raise unprivileged(command)
    return parsed


def _piped(line: str, pipe: int, reply: Reply) -> Reply:
    """What follows a `|`: `json`, `no-more`, or a filter. Raises CliError or Refused."""
    match line[pipe:].strip():
        case "json":
            if reply.model is None:
                raise Refused("This is an unconverted command", code=UNCONVERTED)
            return Reply(reply.model, json.dumps(reply.model, indent=4) + "\n")
        case "no-more":
            return reply
    return Reply(None, _filtered(reply.text, parse_filter(line, pipe)))


def _filtered(output: Output, chosen: Filter) -> Iterator[str]:
    blocks = (output,) if isinstance(output, str) else output
    lines = (line for block in blocks for line in block.splitlines())
    return (line + "\n" for line in chosen(lines))
