"""Payloads are bounded, and say so when something was cut."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.webhooks.payload import bounded, encoded

MOST = 4096
FACTS = {"id": "0197", "status": "finished", "command": ["show version"], "config": None, "rendered": None}


def payload(*entries: dict[str, Any]) -> dict[str, Any]:
    return {**FACTS, "result": {"type": 1, "retval": list(entries), "error": None}}


def entry(stdout: str, parsed: Any = None) -> dict[str, Any]:
    return {"command": "c", "stdout": stdout, "stderr": "", "parsed": parsed}


def test_what_fits_stays() -> None:
    whole = payload(entry("a" * 1000))
    assert bounded(whole, MOST) is whole


def test_what_is_long_is_cut_and_the_rest_stays() -> None:
    cut = bounded(payload(entry("a" * 100_000), entry("short")), MOST)
    long, short = cut["result"]["retval"]
    assert cut["cut"]
    assert long["stdout"].startswith("aaaa")
    assert long["stdout"].endswith("[cut by NetPulse: 100000 characters in all]")
    assert short["stdout"] == "short"


def test_long_records_are_left_out() -> None:
    cut = bounded(payload(entry("short", [{"a": "b" * 10}] * 10_000)), MOST)
    assert cut["result"]["retval"][0] == entry("short")


def test_thousands_of_short_ones_are_left_out() -> None:
    cut = bounded(payload(*[entry("short")] * 10_000), MOST)
    assert (cut["result"]["retval"], cut["command"], cut["status"]) == ([], None, "finished")


@settings(max_examples=50)
@given(st.lists(st.tuples(st.text(max_size=200), st.integers(1, 200)), max_size=30))
def test_it_always_fits(texts: list[tuple[str, int]]) -> None:
    said = encoded(bounded(payload(*(entry(text * times) for text, times in texts)), MOST))
    assert len(said) <= MOST
    json.loads(said)
