"""Frames, of which the other side is not trusted."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.templating import wire
from jobs.templating.errors import ChildLost, ParsingFailed, RenderingFailed, SizeExceeded, as_json, from_json

MOST = 10_000

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@given(JSON)
def test_what_is_sent_is_received(value: object) -> None:
    frame = wire.encode(value, 10**6)
    assert wire.length(frame[: wire.HEAD_BYTES], 10**6) == len(frame) - wire.HEAD_BYTES
    assert wire.decode(frame[wire.HEAD_BYTES :]) == value


def test_through_a_pipe(pipe: tuple[int, int]) -> None:
    wire.send(pipe[1], wire.encode({"a": 1}, MOST) + wire.encode([], MOST))

    assert wire.receive(pipe[0], MOST) == {"a": 1}
    assert wire.receive(pipe[0], MOST) == []


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"\xff", b"NaN", b'{"a": Infinity}', b'"\\ud800"', b"1" * 5000, b"[1] 2"]
)
def test_nonsense_is_a_bad_frame(payload: bytes) -> None:
    with pytest.raises(wire.BadFrame):
        wire.decode(payload)


def test_backslashes_are_no_surrogates() -> None:
    assert wire.decode(wire.encode("C:\\ud800", MOST)[wire.HEAD_BYTES :]) == "C:\\ud800"


def test_sizes_and_depths_are_bounded() -> None:
    with pytest.raises(wire.BadFrame):
        wire.length((MOST + 1).to_bytes(4, "big"), MOST)
    with pytest.raises(SizeExceeded):
        wire.encode("x" * MOST, MOST)
    for depth in (wire.DEEPEST + 2, 100_000):
        with pytest.raises(SizeExceeded):
            wire.decode(b"[" * depth + b"]" * depth)


def test_errors_travel() -> None:
    error = from_json(as_json(RenderingFailed("'a' is undefined", line=3, name="a")))

    assert isinstance(error, RenderingFailed)
    assert (str(error), error.line, error.name) == ("line 3: 'a' is undefined", 3, "a")


@pytest.mark.parametrize("said", [None, [], {}, {"kind": "busy", "message": "x", "line": None, "name": None}])
def test_a_child_cannot_make_up_errors(said: object) -> None:
    assert isinstance(from_json(said), ChildLost)


def test_what_a_child_says_is_bounded_and_printable() -> None:
    error = from_json({"kind": "parsing", "message": "a\x1b\n" + "x" * 9999, "line": -1, "name": 5})

    assert isinstance(error, ParsingFailed)
    assert (error.message[:4], len(error.message), error.line, error.name) == ("a  x", 500, None, None)
