"""Which paths of Vault the site lets us ask for."""

from __future__ import annotations

from collections.abc import Sequence

from jobs.credentials.base import LONGEST_PATH
from jobs.credentials.errors import PathRefused


class AllowedPaths:
    """Those at and below the site's prefixes; all, if it has none."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        self.prefixes = tuple(sorted(set(prefixes)))

    def require(self, path: str) -> None:
        """Raises PathRefused, also for a path that climbs: URLs lose their dots on the way."""
        if len(path) > LONGEST_PATH or not all(map(is_name, path.split("/"))) or not self._allows(path):
            raise PathRefused(f"{path} is not below a path where this site lets credentials of Vault lie")

    def starts(self, prefix: str) -> Sequence[str]:
        """Where listing `prefix` begins; all that is allowed for "". Raises PathRefused."""
        if prefix:
            self.require(prefix)
            return (prefix,)
        return self.prefixes or ("",)

    def _allows(self, path: str) -> bool:
        return not self.prefixes or any((path + "/").startswith(prefix + "/") for prefix in self.prefixes)


def is_name(part: str) -> bool:
    """Whether it is one step downwards."""
    return part not in ("", ".", "..") and "/" not in part
