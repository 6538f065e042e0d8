"""Who asks, and what they may: the owner of an API key."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from jobs.host_patterns import HostPatterns

Scope = Literal["read", "query", "config", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "query", "config", "admin")
"""read: see jobs and what is known of devices; query: run commands; config: change devices; admin: everything."""


class Forbidden(Exception):
    """The key does not allow this. The message is for the client, and names what is missing."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The owner of a key."""

    name: str
    """As jobs and audit events call them: the key's name."""
    scopes: frozenset[Scope]
    key_id: str | None = None
    """None: the key of the settings."""
    hosts: HostPatterns | None = None
    """The devices that it may reach; None: any."""
    credentials: tuple[str, ...] | None = None
    """Globs of the paths that its jobs may refer to; None: any."""
    requests_per_minute: int | None = None
    """None: as the site says; 0: no limit."""
    queued_jobs: int | None = None
    """None: as the site says; 0: no limit."""

    def may(self, *scopes: Scope) -> bool:
        """Whether one of `scopes` is among its own; admin includes all."""
        return "admin" in self.scopes or not self.scopes.isdisjoint(scopes)

    def require(self, *scopes: Scope) -> None:
        """Raises Forbidden unless it has one of `scopes`."""
        if not self.may(*scopes):
            raise Forbidden(f"the key {self.name!r} lacks the scope {' or '.join(scopes)}")

    def require_host(self, host: str) -> None:
        """Raises Forbidden unless it may reach `host` (normalised, without a port)."""
        if self.hosts is not None and not self.hosts.allow(host):
            raise Forbidden(f"the key {self.name!r} is not for the device {host}")

    def require_credential(self, path: str) -> None:
        """Raises Forbidden unless its jobs may refer to the credential at `path`."""
        if self.credentials is not None and not any(fnmatchcase(path, glob) for glob in self.credentials):
            raise Forbidden(f"the key {self.name!r} is not for the credential {path}")
