"""Who asks, and what they may: the owner of an API key."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from jobs.host_patterns import HostPatterns, glob_covers

Scope = Literal["read", "query", "config", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "query", "config", "admin")
"""read: see jobs and what is known of devices; query: run commands; config: change devices; admin: everything."""

QUERIES = ("command", "download", "test")
"""Operations that change nothing on their device, for which query is enough. All others need config."""


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

    def reaches(self, host: str) -> bool:
        """Whether it may reach `host` (normalised, without a port)."""
        return self.hosts is None or self.hosts.allow(host)

    def require_host(self, host: str) -> None:
        """Raises Forbidden unless it may reach `host`."""
        if not self.reaches(host):
            raise Forbidden(f"the key {self.name!r} is not for the device {host}")

    def knows(self, path: str) -> bool:
        """Whether it is for the credential at `path`."""
        return self.credentials is None or any(fnmatchcase(path, glob) for glob in self.credentials)

    def require_credential(self, path: str) -> None:
        """Raises Forbidden unless it is for the credential at `path`."""
        if not self.knows(path):
            raise Forbidden(f"the key {self.name!r} is not for the credential {path}")

    def covers(self, other: Principal) -> bool:
        """Whether it may do all that `other` may. May say no where patterns make it hard to tell."""
        scopes = self.may("admin") or other.scopes <= self.scopes
        hosts = self.hosts is None or (other.hosts is not None and self.hosts.cover(other.hosts))
        return scopes and hosts and self._covers_credentials(other.credentials)

    def _covers_credentials(self, globs: tuple[str, ...] | None) -> bool:
        if self.credentials is None or globs is None:
            return self.credentials is None
        return all(any(glob_covers(mine, glob) for mine in self.credentials) for glob in globs)
