"""Configuration lines as eAPI takes them: a text of several lines is the input of the command before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drivers.errors import DriverError
from drivers.pyeapi.conversation import Command
from drivers.ssh.fields import CONTROL

_TEXTS = {"banner login": 1, "banner motd": 1, "protocol https certificate": 2}
"""Commands that ask for texts, and how many; each ends with a line `EOF` (napalm's eos driver, HEREDOC_COMMANDS)."""

_OUTSIDE = frozenset({"abort", "bash", "commit", "configure", "copy", "delete", "reload", "write"})
"""Exec commands that configuration mode takes too, and that would end the session or reach past it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Consecutive lines that go to the device as one command; None: as nothing, being blank or a comment."""

    lines: Sequence[str]
    command: Command | None


def entries(lines: Sequence[str]) -> list[Entry]:
    """Raises DriverError for a line that must not be sent."""
    for number, line in enumerate(lines, start=1):
        if CONTROL.search(line):
            raise DriverError(f"line {number} contains a control character; nothing was sent")
    return list(_entries(lines))


def _entries(lines: Sequence[str]) -> Iterator[Entry]:
    position = 0
    while position < len(lines):
        words = " ".join(lines[position].split())
        end = _end_of_texts(lines, position + 1, _TEXTS.get(words, 0))
        taken = lines[position:end]
        if words.lower().partition(" ")[0] in _OUTSIDE:
            raise DriverError(f"line {position + 1} is no configuration but a command of exec mode; nothing was sent")
        if len(taken) > 1:
            yield Entry(taken, {"cmd": words, "input": "\n".join(taken[1:-1])})
        else:
            yield Entry(taken, None if not words or words.startswith("!") else lines[position].strip())
        position = end


def _end_of_texts(lines: Sequence[str], start: int, texts: int) -> int:
    """Where the lines after a command's texts begin; `start` if it asks for none, or they do not end."""
    end = start
    for _ in range(texts):
        found = next((n for n in range(end, len(lines)) if lines[n].strip() == "EOF"), None)
        if found is None:
            return start
        end = found + 1
    return end
