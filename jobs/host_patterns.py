"""Which devices a key is for: networks and globs. The same rule as netpulse.host_allowed, which filters rows."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from fnmatch import fnmatchcase


class HostPatterns:
    """Networks (CIDR) for addresses, globs for names. A glob of an address matches that address's text."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises ValueError for one that is neither."""
        self.texts = tuple(dict.fromkeys(_normalised(pattern) for pattern in patterns))
        self._networks = [ipaddress.ip_network(text) for text in self.texts if "/" in text]
        self._globs = [text for text in self.texts if "/" not in text]

    def allow(self, host: str) -> bool:
        """Whether `host` (normalised) matches one of them."""
        if any(fnmatchcase(host, glob) for glob in self._globs):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _normalised(pattern: str) -> str:
    text = pattern.strip().lower()
    if "/" in text:
        return str(ipaddress.ip_network(text, strict=False))
    if not text or not all(character.isalnum() or character in "-_.:*?" for character in text):
        raise ValueError("must be a network such as 192.0.2.0/24, or a name or address in which * and ? may stand")
    return text
