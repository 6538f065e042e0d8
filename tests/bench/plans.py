"""How PostgreSQL did it: the plans of the statements that were measured."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import psycopg

EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS) "


class Plans:
    """A text file, begun anew by each run. `surprises`: plans without the index that they are meant to use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.surprises: list[str] = []
        path.write_text("", encoding="utf-8")

    def write(self, title: str, lines: Iterable[str], index: str) -> None:
        """Append one plan, which is meant to use `index`."""
        plan = "\n".join(lines)
        verdict = f"uses {index}" if f"using {index} " in plan else f"DOES NOT USE {index}"
        if "NOT" in verdict:
            self.surprises.append(f"{title}: {verdict}")
        self._append(title, verdict, plan)

    def write_scans(self, title: str, lines: Iterable[str], tables: Collection[str]) -> list[str]:
        """Append one plan, which is meant to read none of `tables` as a whole. Returns those that it does."""
        plan = "\n".join(lines)
        whole = sorted(set(re.findall(r"Seq Scan on (\w+)", plan)).intersection(tables))
        verdict = f"READS ALL OF {', '.join(whole)}" if whole else "reads no big table as a whole"
        if whole:
            self.surprises.append(f"{title}: {verdict}")
        self._append(title, verdict, plan)
        return whole

    def _append(self, title: str, verdict: str, plan: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"-- {title}: {verdict}\n{plan}\n\n")

    def write_statement(self, title: str, connection: psycopg.Connection[Any], statement: str, index: str) -> None:
        """Run one statement under EXPLAIN, roll it back, and append its plan."""
        with connection.transaction(force_rollback=True):
            rows = connection.execute((EXPLAIN + statement).encode()).fetchall()
        self.write(title, (row[0] for row in rows), index)
