"""What a device's prompt looks like, and whether a text ends with it. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

TAIL = 512
"""Characters at the end of a text that can matter to a prompt."""

_MARKS = re.compile(r"[*~!+] ?")  # SR OS `*A:r1#`, VRP `[~r1]` and `[*r1]`: unsaved or uncommitted changes
_MODE = re.compile(r"\\\([^()]*\\\)")  # as re.escape writes `(config-if)`: a new hostname can end a submode
_ANY_MODE = r"\\([\\w/ -]{1,40}\\)"
_VIEW = r"\[[*~]?(?!(?:confirm|yes|no|y|n)\])([\w.@:-]{1,64})\]"
_NAME = r"[\w.@:/~-]{1,64}"


def _line_ended(tail: str) -> bool:
    return tail.rstrip(" ").endswith("\n")


def last_line(tail: str) -> str:
    """The text after the last line feed, without white space at its end."""
    return tail.rstrip().rpartition("\n")[2]


@dataclass(frozen=True, slots=True)
class Prompt:
    """A full prompt (`R2#`) and the part of it that stays in every mode (`R2`, netmiko's `base_prompt`)."""

    text: str
    base: str

    def __post_init__(self) -> None:
        if not self.text.strip() or not self.base:
            raise ValueError("a prompt cannot be empty")  # an empty pattern is found in everything

    def ends(self, tail: str) -> bool:
        r"""Whether `tail` ends with this very prompt, alone on its line: `(?:\A|\n)prompt\s*\Z`."""
        text = tail.rstrip()
        if text.endswith(self.text) and (len(text) == len(self.text) or text[-len(self.text) - 1] == "\n"):
            return True
        return self.is_like(last_line(tail)) and not _line_ended(tail)

    def is_like(self, line: str) -> bool:
        """Whether `line` is this prompt, but for a counter (EXOS `sw.3 #`) and marks of what is unsaved."""
        return len(line) <= TAIL and self._plain(line) == self._plain(self.text)

    def related(self, tail: str) -> bool:
        """Whether the last line of `tail` is this device's prompt in whatever mode (`R2(config-if)#`, `R2>`).

        A question (`Reload R2? [confirm]`) is not: a prompt has next to nothing before the name, and its last
        character is one that ends prompts.
        """
        line = last_line(tail)
        if _line_ended(tail) or line[-1:] not in self._terminators():
            return False
        before, found, after = line.partition(self.base)
        before = _MARKS.sub("", before)
        if not found or len(before) > 16 or re.search(r"\s", before) or len(after) > 80 or "?" in after:
            return False
        return line[-1] != "]" or "[" in before

    def renamed(self, tail: str) -> str | None:
        """The new name if the last line of `tail` is this prompt with another name (`R2(config)#`, `R9(config)#`)."""
        if _line_ended(tail):
            return None
        if self.text[0] == "[" and self.text[-1] == "]":  # VRP, Comware: `[r1-Vlanif1]` becomes `[r2]`
            view = re.fullmatch(_VIEW, last_line(tail), re.IGNORECASE)
            return view.group(1) if view else None
        before, found, after = _MARKS.sub("", self.text).partition(_MARKS.sub("", self.base))
        shape = f"{re.escape(before)}({_NAME}){_MODE.sub(_ANY_MODE, re.escape(after))}"
        match = re.fullmatch(shape, _MARKS.sub("", last_line(tail))) if found and after else None
        return match.group(1) if match else None

    def _plain(self, line: str) -> tuple[str, str, str]:
        before, name, after = line.partition(self.base)
        return _MARKS.sub("", before), name, re.sub(r"\d+", "0", after)

    def _terminators(self) -> str:
        """VRP and Comware stand at `<r1>`, or `[r1]` in configuration; others end in `#` or `>`, or as they did."""
        if self.text[0] in "<[" and self.text[-1] in ">]":
            return ">]"
        return "#>" + self.text[-1]


def plausible(tail: str) -> bool:
    """Whether the last line looks like some prompt, of whatever device, and not like a question."""
    line = last_line(tail)
    if _line_ended(tail) or not 0 < len(line) <= 80 or re.search(r"\?|assword|--|\.\.", line):
        return False
    return line[-1] in "#>$%" or (
        line[-1] == "]" and line[0] in "[*~(<" and not re.match(r"\[(?:confirm|[yYnN])", line)
    )
