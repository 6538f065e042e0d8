"""docs/reporting.md answers what it says, from a past that is made up, to a login that may read reports only."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from tests import postgres
from tests.integration.reports.page import questions
from tests.integration.reports.past import make_past

Reader = psycopg.Connection[dict[str, Any]]

VALUES: dict[str, dict[str, Any]] = {
    "Which devices run 15.2?": {"version": "15.2(7)E"},
    "What changed on core1 since Friday of last week?": {"command": "show running-config"},
    "What waits or runs?": {"state": "queued"},
    "Which webhooks were given up?": {"last_status": 500, "last_error": "the receiver answered 500", "attempts": 4},
    "Which changes failed, and may have landed all the same?": {"outcome": "known"},
}


@pytest.fixture(scope="module")
def reader(postgres_url: str, template: str) -> Iterator[Reader]:
    """A session of a member of netpulse_report, in a database with a past."""
    with postgres.new_database(postgres_url, template) as url:
        make_past(url, jobs=4000, devices=40)
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            connection.execute(sql.SQL("SET ROLE netpulse_report"))
            yield connection


def test_the_page_has_a_dozen_questions() -> None:
    assert len(questions()) >= 12
    assert questions().keys() >= VALUES.keys()


@pytest.mark.parametrize("question", questions())
def test_every_question_has_an_answer(reader: Reader, question: str) -> None:
    rows = reader.execute(questions()[question].encode()).fetchall()
    assert rows
    for column, value in VALUES.get(question, {}).items():
        assert value in [row[column] for row in rows]


def test_views_add_up(reader: Reader) -> None:
    """Days and hours together are the jobs that ended, each once."""
    [row] = reader.execute(
        "SELECT (SELECT sum(jobs) FROM report.throughput) AS by_hour, (SELECT sum(jobs) FROM report.failure) AS failed,"
        " (SELECT count(*) FROM report.job WHERE ended_at IS NOT NULL) AS ended,"
        " (SELECT count(*) FROM report.job WHERE state = 'failed') AS failures,"
        " (SELECT sum(reached + unreachable + login_refused) FROM report.availability) AS tried"
    ).fetchall()
    assert row["by_hour"] == row["ended"] == row["tried"]
    assert row["failed"] == row["failures"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_days_are_those_of_the_session(reader: Reader, zone: str) -> None:
    reader.execute(sql.SQL("SET TIME ZONE {}").format(zone))
    seen = "SELECT day, sum(jobs) AS jobs FROM report.failure GROUP BY day ORDER BY day"
    counted = (
        "SELECT ended_at::date AS day, count(*) AS jobs FROM report.job WHERE state = 'failed' GROUP BY 1 ORDER BY 1"
    )
    assert reader.execute(seen).fetchall() == reader.execute(counted).fetchall()
    reader.execute("RESET TIME ZONE")
