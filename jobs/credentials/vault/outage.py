"""Nobody waits for a Vault that has just not answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jobs.credentials.errors import VaultUnavailable

REST_S = 2.0
"""How long requests fail at once after one has found Vault away; then one is let through to look."""


class Outage:
    """Whether Vault is away, as far as we know. `clock`: seconds, as `time.monotonic` counts them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: float | None = None
        self._why = ""
        self._looking = False

    def begin(self, why: str) -> None:
        """From now on. `why`: a sentence for whoever asks meanwhile."""
        self._until, self._why = self._clock() + REST_S, why

    def check(self) -> None:
        """Raises VaultUnavailable while Vault is away, unless it is time to look."""
        if self._until is not None and (self._looking or self._clock() < self._until):
            raise VaultUnavailable(self._why)

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around one request: VaultUnavailable begins an outage, an answer ends it. Raises as `check` does."""
        self.check()
        looks = self._looking = self._until is not None
        try:
            yield
        except VaultUnavailable as error:
            self.begin(str(error))
            raise
        else:
            self._until = None
        finally:
            if looks:
                self._looking = False
