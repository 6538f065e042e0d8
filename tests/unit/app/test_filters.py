"""Query parameters that need more than a type."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.envelope import Problem, invalid
from app.filters import host_and_queue, moment, page_cursor


@pytest.mark.parametrize(
    ("host", "queue", "chosen"),
    [
        (None, None, {}),
        ("Router.Example.", None, {"host": "router.example"}),
        (None, "fifo", {"strategy": "fifo"}),
        (None, "pinned_[2001:DB8::1]", {"strategy": "pinned", "host": "2001:db8::1"}),
        ("a", "fifo", {"strategy": "fifo", "host": "a"}),
        ("A", "pinned_a", {"strategy": "pinned", "host": "a"}),
    ],
)
def test_host_and_queue(host: str | None, queue: str | None, chosen: dict[str, str]) -> None:
    assert host_and_queue(host, queue) == chosen


@pytest.mark.parametrize(
    ("host", "queue"), [("", None), ("a b", None), (None, ""), (None, "pinned_"), ("a", "pinned_b")]
)
def test_no_host_or_queue(host: str | None, queue: str | None) -> None:
    with pytest.raises(Problem) as caught:
        host_and_queue(host, queue)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00+02:00", datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))),
        ("2026-01-31T12:00:00.5", datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
    ],
)
def test_moment(text: str, found: datetime) -> None:
    assert moment("since", text) == found


@pytest.mark.parametrize("text", ["", "2026", "1700000000", "yesterday", "2026-02-30", "2026-01-31T12:00:00 02:00"])
def test_no_moment(text: str) -> None:
    with pytest.raises(Problem, match=r"query\.until: not a time"):
        moment("until", text)


def test_page_cursor() -> None:
    with pytest.raises(Problem, match="take it from X-Next-Cursor"):
        page_cursor("x" * 32)


def test_a_problem_passes_context_managers() -> None:
    """contextlib sets the traceback of what passes, which a frozen dataclass would refuse."""

    @contextmanager
    def anything() -> Iterator[None]:
        yield

    with pytest.raises(Problem, match="query: wrong"), anything():
        raise invalid(["query"], "wrong")
