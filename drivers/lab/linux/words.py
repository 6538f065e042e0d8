"""A command line as a shell reads it: variables, quotes, pipelines, redirections."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

_JOINS = (";", "&&", "||")
_STDERR = re.compile(r"(?:^|(?<= ))2>(?:&1| ?/dev/null)(?= |;|$)")  # both outputs are one here
_VARIABLE = re.compile(r"'[^']*'|\$(\?|\w+|\{\w+\})")


class SyntaxProblem(Exception):
    """A line that is no command; the text is what bash says of it."""


@dataclass(slots=True)
class Command:
    """One command of a pipeline; `target` is where its output goes, at the end of what is there if `appends`."""

    words: list[str] = field(default_factory=list)
    target: str | None = None
    appends: bool = False


@dataclass(slots=True)
class Pipeline:
    """Commands that pass their output on, and how the pipeline is joined to the one before it."""

    join: str = ";"
    commands: list[Command] = field(default_factory=lambda: [Command()])


def expanded(line: str, variables: Mapping[str, str]) -> str:
    """Put in the variables' values, but not between single quotes."""

    def value(match: re.Match[str]) -> str:
        return match[0] if match[1] is None else variables.get(match[1].strip("{}"), "")

    return _VARIABLE.sub(value, line)


def parse(line: str) -> list[Pipeline]:
    """Read a line. Raises SyntaxProblem."""
    lexer = shlex.shlex(_STDERR.sub("", line), posix=True, punctuation_chars=";&|<>")
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:
        raise SyntaxProblem("unexpected EOF while looking for matching quote") from None
    pipelines, redirects = [Pipeline()], ""
    for token in tokens:
        redirects = _take(token, pipelines, redirects)
    if redirects:
        raise SyntaxProblem("syntax error near unexpected token `newline'")
    return [pipeline for pipeline in pipelines if pipeline.commands[0].words]


def _take(token: str, pipelines: list[Pipeline], redirects: str) -> str:
    """Add a token to what was read; return the redirection that waits for its file."""
    command = pipelines[-1].commands[-1]
    if redirects:
        command.target, command.appends = token, redirects == ">>"
    elif token in (">", ">>"):
        return token
    elif token in (*_JOINS, "|"):
        if not command.words:
            raise SyntaxProblem(f"syntax error near unexpected token `{token}'")
        if token == "|":  # noqa: S105 no password
            pipelines[-1].commands.append(Command())
        else:
            pipelines.append(Pipeline(token))
    elif token in ("&", "<", "<<", ">&"):
        raise SyntaxProblem(f"syntax error near unexpected token `{token}'")
    else:
        command.words.append(token)
    return ""
