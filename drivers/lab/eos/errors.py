"""What EOS says of a command that it would not do, on the terminal and over eAPI."""

from drivers.lab.ios.grammar import Ambiguous, CliError, Incomplete, Invalid, words_of

NOT_RUN, INVALID, UNCONVERTED, INCOMPATIBLE, DENIED = 1000, 1002, 1003, 1004, 1005

_PHRASES = {
    NOT_RUN: "could not run command",
    INVALID: "invalid command",
    UNCONVERTED: "unconverted command",
    INCOMPATIBLE: "incompatible command",
    DENIED: "permission denied",
}


class Refused(Exception):
    """A command that failed; nothing has changed. `said` has no `% ` before it."""

    def __init__(self, said: str, *, code: int = NOT_RUN, token: str = "") -> None:
        super().__init__(said)
        self.said, self.code, self._token = said, code, token

    @property
    def phrase(self) -> str:
        """What kind of failure this is, in words."""
        return _PHRASES[self.code]

    def on_terminal(self) -> str:
        return f"% {self.said}\n"

    def over_api(self) -> str:
        return f"{self.said} {self._token}" if self._token else self.said


def refused(line: str, error: CliError) -> Refused:
    """An error of the grammar as EOS words it, with the word that it is about."""
    words = words_of(line)
    if isinstance(error, Invalid):
        return Refused("Invalid input", code=INVALID, token=_at(line, error.column or 0))
    if isinstance(error, Ambiguous):
        return Refused("Ambiguous command", code=INVALID, token=_at(line, 0))
    if isinstance(error, Incomplete):
        return Refused("Incomplete command", code=INVALID, token=f"(at token {len(words)}: None)")
    return Refused(error.said.strip("% \n"), code=INVALID)


def unspelled(index: int, word: str) -> Refused:
    """A word that was not typed in full, where eAPI wants it to be."""
    return Refused("Incomplete token", code=INVALID, token=f"(at token {index}: '{word}')")


def unprivileged(line: str) -> Refused:
    return Refused("Invalid input (privileged mode required)", code=INVALID, token=_at(line, 0))


def _at(line: str, column: int) -> str:
    """`(at token 1: 'foo')` for the word at `column`."""
    words = words_of(line)
    index = max((i for i, word in enumerate(words) if word.column <= column), default=0)
    return f"(at token {index}: '{words[index].text}')" if words else ""
