"""Endings of an output that clients may name. Vetted patterns: a client's own could freeze the whole process."""

from __future__ import annotations

from typing import Literal

PatternName = Literal["prompt_any", "confirm", "yes_no", "password", "username", "filename"]

PATTERNS: dict[PatternName, str] = {
    "prompt_any": r"(?:\A|\n)[^\n ]{1,80}[#>$%\]][ ]?\Z",
    "confirm": r"\[confirm\][ ]?\Z",
    "yes_no": r"(?i:[(\[]y(?:es)?[/|,]n(?:o)?(?:[/|,]c(?:ancel)?)?[)\]][^\n]{0,40})\Z",
    "password": r"(?i:password(?: for [^\n:]{1,80})?:[ ]?)\Z",
    "username": r"(?i:(?:user ?name|login):[ ]?)\Z",
    "filename": r"(?i:file ?name[^\n]{0,80}\[[^\n\]]{0,256}\][ ]?\?[ ]?)\Z",
}
"""By name. prompt_any: any prompt; the others: a question that the device asks."""
