"""The questions of docs/reporting.md, asked of 1,000,000 jobs with 3,000,000 outputs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import psycopg

from app import migrations
from tests.bench.measure import Measure, Site, median_ms
from tests.bench.plans import EXPLAIN
from tests.integration.reports.page import questions
from tests.integration.reports.past import make_past

DATABASE = "reports"
BIG = (
    "job",
    "job_output",
    "output_text",
    "output_change",
    "webhook_delivery",
    "webhook_attempt",
    "audit_event",
)
"""Those that grow with the history."""
REPEATS = 5


def reports(site: Site) -> Iterator[Measure]:
    """Milliseconds of each question, as a member of netpulse_report asks it. Its plan may read no big table whole."""
    jobs, devices = (50_000, 500) if site.quick else (1_000_000, 5_000)
    site.server.ensure_database(DATABASE)
    url = site.server.url(DATABASE)
    migrations.upgrade(url)
    make_past(url, jobs=jobs, devices=devices)
    with psycopg.connect(url, autocommit=True) as connection:
        for title, statement in questions().items():
            connection.execute("SET ROLE netpulse_report")
            took = median_ms(partial(_answer, connection, statement), REPEATS, warm_up=1)
            connection.execute("RESET ROLE")
            lines = [row[0] for row in connection.execute((EXPLAIN + statement).encode())]
            whole = ", ".join(site.plans.write_scans(title, lines, BIG)) or "none"
            yield Measure(f"{title} {jobs:,} jobs; tables read as a whole: {whole}", took, "ms", "≤ 200 ms")


def _answer(connection: psycopg.Connection, statement: str) -> int:
    rows = connection.execute(statement.encode()).fetchall()
    if not rows:
        raise RuntimeError(f"no rows: {statement}")
    return len(rows)
