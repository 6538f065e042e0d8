"""How configuration mode understands a line: by its own words, or those of a mode around it."""

from collections.abc import Iterator
from dataclasses import dataclass

from drivers.lab.eos.errors import unspelled
from drivers.lab.eos.keywords import BELOW, GLOBAL, IN_SESSION, Action
from drivers.lab.eos.session import Session
from drivers.lab.ios.grammar import CliError, Grammar, Incomplete, Invalid, Parsed, words_of


@dataclass(frozen=True, slots=True)
class Reading:
    """A line as the mode at `depth` understands it: `words` are spelled out, `action` is None if more are needed."""

    depth: int
    words: tuple[str, ...]
    action: Action | None
    parsed: Parsed[Action] | None = None
    error: CliError | None = None


def grammar(session: Session, depth: int | None = None) -> Grammar[Action]:
    """Of the mode at this depth; by default the current one."""
    places = (session.places or ())[:depth]
    if places:
        return BELOW[places[-1].mode]
    return IN_SESSION if session.candidate else GLOBAL


def read(session: Session, line: str, start: int = 0) -> Reading:
    """The closest reading of a line: by the current mode or, as EOS does, by one around it.

    Raises CliError, the current mode's, when none understands it.
    """
    found: Reading | None = None
    for reading in _readings(session, line, start):
        if found is None or _closer(reading, found):
            found = reading
    if found is None or not found.words:
        raise found.error if found and found.error else Invalid(start)
    return found


def _readings(session: Session, line: str, start: int) -> Iterator[Reading]:
    for depth in range(len(session.places or ()), -1, -1):
        try:
            parsed = grammar(session, depth).parse(line, start)
            yield Reading(depth, parsed.words, parsed.action, parsed)
        except Incomplete as error:
            yield Reading(depth, error.words, None, error=error)
        except CliError as error:
            yield Reading(depth, (), None, error=error)


def _closer(reading: Reading, found: Reading) -> bool:
    """Whether a reading farther out has more keywords, or is a whole command where the nearer is not."""
    if reading.parsed is None or found.parsed is None:
        return reading.parsed is not None
    return reading.parsed.keywords > found.parsed.keywords


def check_spelling(line: str, words: tuple[str, ...]) -> None:
    """Raise Refused if a keyword was shortened."""
    for index, (typed, spelled) in enumerate(zip(words_of(line), words, strict=False)):
        if spelled.startswith(typed.text.lower()) and spelled != typed.text.lower() and " " not in spelled:
            raise unspelled(index, typed.text)
