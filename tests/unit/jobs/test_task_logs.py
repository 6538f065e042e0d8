"""Where a log that grows is cut for events: at the ends of lines, and never within a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.task_logs import redacted, whole_lines

KEY = "-----BEGIN\nsecret\nEND-----"


@pytest.mark.parametrize(
    ("log", "full", "piece"),
    [
        (b"", False, b""),
        (b"one\ntw", False, b"one\n"),
        (b"one", False, b""),
        (b"one\ntw", True, b"one\n"),
        ("aé".encode()[:-1], True, b"a"),
        (b"one\n-----BEGIN\nsec", False, b"one\n"),
        (b"one\nkey -----BEGIN\nsecret\nEND--", False, b"one\n"),
        (b"one\nkey -----BEGIN\nsecret\nEND-----\ntw", False, b"one\nkey -----BEGIN\nsecret\nEND-----\n"),
        (b"a -----BEGIN\nsecret\nEND-", True, b"a "),
        (b"-----BEGIN\n", True, b"-----BEGIN\n"),  # it must go on
    ],
)
def test_cuts(log: bytes, full: bool, piece: bytes) -> None:
    assert whole_lines(log, [KEY], full=full) == piece


@given(st.lists(st.sampled_from([KEY, KEY[:12], KEY[12:], "\n", "x", "é\n"]), max_size=12), st.integers(0, 200))
def test_what_is_told_in_two_is_as_if_it_was_told_in_one(parts: list[str], seen: int) -> None:
    log = "".join(parts).encode()
    first = whole_lines(log[:seen], [KEY], full=False)
    told = redacted(first, [KEY]) + redacted(log[len(first) :], [KEY])
    assert told == redacted(log, [KEY])
