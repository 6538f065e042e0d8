"""What a device says after a command: its echo, the output, an ending. No I/O, and no search of what was searched."""

from __future__ import annotations

import re
from collections.abc import Callable

Ending = Callable[[str], bool]
"""Asked with the end of the output so far: is it complete?"""

_WINDOW = 4096
"""Characters of earlier output that an ending may reach back to."""

_LONGEST_ECHO = 400
"""Longer lines are wrapped or scrolled on a 511 column terminal, so that their echo cannot be recognised."""


LONGEST_OUTPUT = 32_000_000
"""Characters of one command's output; a device that goes on for ever must not take the worker's memory."""


class TooLong(Exception):
    """The device said more than LONGEST_OUTPUT characters to one command."""


class Transcript:
    """Collects output piece by piece; how it was cut into pieces makes no difference.

    Give `command` to have everything up to its echo dropped: late output of an earlier command goes with that.
    """

    def __init__(self, ending: Ending, command: str = "") -> None:
        self._ending = ending
        self._command = command if len(command) <= _LONGEST_ECHO else ""
        self._parts: list[str] = []
        self._head = ""
        self._length = 0
        self.tail = ""
        self.echoed = not self._command
        self.complete = False

    def feed(self, text: str) -> bool:
        """Take the next piece; True once the output is complete. Raises TooLong."""
        if not text:
            return self.complete
        self._length += len(text)
        if self._length > LONGEST_OUTPUT:
            raise TooLong
        if not self.echoed:
            text = self._after_echo(text)
        if self.echoed:
            self._parts.append(text)
            self.tail = (self.tail + text)[-max(_WINDOW, len(text)) :]
            self.complete = self._ending(self.tail)
        return self.complete

    def text(self) -> str:
        """The output so far, beginning with the echoed command."""
        return "".join(self._parts)

    def _after_echo(self, text: str) -> str:
        self._head += text
        found = _find_echo(self._command, self._head)
        if found is None:
            self._head = self._head[-max(_WINDOW, 4 * len(self._command)) :]
            return ""
        self.echoed = True
        self._parts.append(self._command)
        return self._head[found:]


def _find_echo(command: str, text: str) -> int | None:
    """Where the echo ends in `text`; white space and backspaces within it are what terminals do to long lines."""
    position = text.find(command)
    if position >= 0:
        return position + len(command)
    letters = [re.escape(letter) for letter in command if not letter.isspace()]
    match = re.search(r"[\s\x08]*".join(letters), text) if "\n" in text or "\x08" in text else None
    return match.end() if match else None
