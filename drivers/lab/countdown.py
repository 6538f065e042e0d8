"""A device's timer for changes that go back unless they are confirmed."""

import asyncio
from collections.abc import Callable

MINUTE_MS = 60_000.0


class Countdown:
    """Calls `then` after `minutes` of `minute_ms` each, unless it is cancelled. Needs a running event loop."""

    def __init__(self, minutes: float, minute_ms: float, then: Callable[[], None]) -> None:
        self.minutes, self._seconds, self._then = minutes, minutes * minute_ms / 1000, then
        self._handle = asyncio.get_running_loop().call_later(self._seconds, then)

    def cancel(self) -> None:
        self._handle.cancel()

    def restart(self) -> None:
        """Begin again with all of the time."""
        self.cancel()
        self._handle = asyncio.get_running_loop().call_later(self._seconds, self._then)
