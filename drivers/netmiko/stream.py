"""From bytes off the wire to the text that netmiko expects, whatever the pieces they came in."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

_CUT_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?]*|\[\?2004l)?\Z")

_PASTE_ENDS = "\x1b[?2004l\r"
"""What readline (bash) sends before each output: the return goes with it, and begins no line."""


class TextStream:
    """Decodes, normalises line ends and drops terminal codes, holding back what the next piece may complete.

    Bytes that the encoding does not know become U+FFFD; they never end a session. `normalise` and `strip_codes` are
    the platform's own (netmiko `normalize_linefeeds`, `strip_ansi_escape_codes`); `strip_codes` may be None.
    """

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._held = ""
        self._after_line_feed = False

    def feed(self, data: bytes, normalise: Callable[[str], str], strip_codes: Callable[[str], str] | None) -> str:
        """The text that `data` completes."""
        text = self._held + self._decoder.decode(data)
        text, self._held = _split(text, strip_codes is not None)
        text = text.replace(_PASTE_ENDS, "") if strip_codes else text
        if not text:
            return ""
        normal = self._joined(text, normalise) if "\r" in text else text
        self._after_line_feed = text.endswith("\n") and not text.endswith("\r\n")
        return strip_codes(normal) if strip_codes and "\x1b" in normal else normal

    def _joined(self, text: str, normalise: Callable[[str], str]) -> str:
        """A line feed already handed out and a carriage return at the start of `text` are one line end."""
        if not (self._after_line_feed and text.startswith("\r")):
            return normalise(text)
        normal = normalise("\n" + text)
        return normal[2:] if normal.startswith("\r\n") else normal[1:]


def _split(text: str, codes: bool) -> tuple[str, str]:
    """What can be judged now, and what the next piece may change: carriage returns, the start of a terminal code."""
    ready = text if codes and text.endswith(_PASTE_ENDS) else text.rstrip("\r")
    cut = _CUT_ESCAPE.search(ready) if codes else None
    end = cut.start() if cut else len(ready)
    return text[:end], text[end:]
