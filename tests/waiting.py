"""Waiting for what nobody can be told of: asking again until a deadline. The only place in the tests that sleeps."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

DEADLINE_S = 30.0
PAUSE_S = 0.01


def until(look: Callable[[], T | None], what: str, timeout_s: float = DEADLINE_S) -> T:
    """Ask `look` until it says something true, and return that; fail with `what` after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(PAUSE_S)
    return seen


async def until_async(look: Callable[[], Awaitable[T | None]], what: str, timeout_s: float = DEADLINE_S) -> T:
    """The same, asking in the event loop."""
    deadline = time.monotonic() + timeout_s
    while not (seen := await look()):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(PAUSE_S)
    return seen
