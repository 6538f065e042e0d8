"""The questions of docs/reporting.md, with their SQL."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "reporting.md"
_QUESTION = re.compile(r"([^\n]+)\n\n```sql\n(.*?)```", re.DOTALL)


def questions() -> dict[str, str]:
    """Every block of SQL on the page, by the line above it."""
    return dict(_QUESTION.findall(PAGE.read_text(encoding="utf-8")))
