"""The addresses from which this site lets templates be fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:  # settings come from here: no command has to load an HTTP client for them
    import httpx

PORTS = {"http": 80, "https": 443}

_HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+")
_DISGUISED = re.compile(rb"%(2e|2f|5c|25)|\\", re.IGNORECASE)
"""Dots, slashes, backslashes and percent signs, encoded: some servers decode them before they look for the file."""


@dataclass(frozen=True, slots=True)
class AllowedUrl:
    """What templates may be fetched from: everything at a host, or what is below a path there."""

    host: str
    port: int | None
    """None: the scheme's own."""
    prefix: str
    """Without a slash at its end; empty: everything."""
    private: bool
    """The host may have an address that is not public."""

    @classmethod
    def parse(cls, entry: str, *, private: bool) -> Self:
        """An entry of the setting: `host[:port][/prefix]`. Raises ValueError."""
        message = "each entry must be host[:port][/prefix], such as templates.example/netpulse"
        try:
            parts = urlsplit(f"//{entry}")
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError(message) from None
        if not _HOST.fullmatch(host) or "@" in parts.netloc or re.search(r"[\s\\%?#]|//", entry):
            raise ValueError(message)
        return cls(host, port, parts.path.rstrip("/"), private)

    def covers(self, url: httpx.URL) -> bool:
        """Whether `url` (http or https) is there."""
        path = url.raw_path.partition(b"?")[0]
        default = PORTS[url.scheme]
        return (
            (url.raw_host.decode(), url.port or default) == (self.host, self.port or default)
            and (path + b"/").startswith(f"{self.prefix}/".encode())
            and not (self.prefix and _DISGUISED.search(path))
        )


def allowed_urls(entries: str, *, private: bool) -> tuple[AllowedUrl, ...]:
    """The entries of a setting, which commas separate. Raises ValueError."""
    stripped = (entry.strip() for entry in entries.split(","))
    return tuple(AllowedUrl.parse(entry, private=private) for entry in stripped if entry)
