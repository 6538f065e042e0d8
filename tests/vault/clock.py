"""Time that passes when a test says so."""

import time


class ManualClock:
    """Seconds since 1970, standing still. Called as `time.time` is."""

    def __init__(self) -> None:
        self._now = time.time()

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds
