"""Which devices a key is for: networks and globs. The same rule as netpulse.host_allowed, which filters rows."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, bindparam, func

LONGEST_PATTERN = 255
"""Characters: as long as a host name may be."""

_GLOB = re.compile(r"[a-z0-9._:*?-]+")
_ADDRESSES = re.compile(r"(?=.*[0-9])(?=.*\.)[0-9.*?]+")
"""A glob of addresses."""


class HostPatterns:
    """Networks (CIDR) for addresses, globs for names. A glob of addresses, such as 192.0.2.*, matches their texts, and
    no name: 192.0.2.example is whatever its owner says.

    Two with the same patterns are equal.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Raises ValueError for one that is neither."""
        self.texts = tuple(sorted({normalised(pattern) for pattern in patterns}))
        self._networks = [ipaddress.ip_network(text) for text in self.texts if "/" in text]
        self._globs = [text for text in self.texts if "/" not in text]
        self._names = [glob for glob in self._globs if not _ADDRESSES.fullmatch(glob)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HostPatterns) and self.texts == other.texts

    def __hash__(self) -> int:
        return hash(self.texts)

    def allow(self, host: str) -> bool:
        """Whether `host` (normalised) matches one of them."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return any(fnmatchcase(host, glob) for glob in self._names)
        return any(fnmatchcase(host, glob) for glob in self._globs) or any(
            address in network for network in self._networks
        )

    def cover(self, other: HostPatterns) -> bool:
        """Whether all that `other` allows is allowed here. May say no where it is hard to tell, never a wrong yes."""
        networks = all(any(_contains(mine, network) for mine in self._networks) for network in other._networks)
        return networks and all(self._covers_glob(glob) for glob in other._globs)

    def _covers_glob(self, glob: str) -> bool:
        if not is_wild(glob):
            return self.allow(glob)
        return any(glob_covers(mine, glob) for mine in (self._globs if _ADDRESSES.fullmatch(glob) else self._names))


def glob_covers(glob: str, other: str) -> bool:
    """Whether `glob` matches all that the glob `other` does. May say no where it is hard to tell."""
    # A star takes whatever a wildcard of `other` stands for; a question mark would take the star's sign for its text.
    return glob == other or (fnmatchcase(other, glob) and ("?" not in glob or not is_wild(other)))


def is_wild(glob: str) -> bool:
    """Whether it matches more than its own text."""
    return "*" in glob or "?" in glob


def only(column: ColumnElement[str], hosts: HostPatterns | None) -> list[ColumnElement[bool]]:
    """Conditions on rows whose `column` holds a host: none for None, which are keys for every device."""
    if hosts is None:
        return []
    return [func.netpulse.host_allowed(column, bindparam(None, list(hosts.texts), type_=ARRAY(Text)))]


def _contains(network: Any, other: Any) -> bool:
    return network.version == other.version and bool(other.subnet_of(network))


def normalised(pattern: str) -> str:
    """The one spelling of a pattern. Raises ValueError."""
    text = pattern.strip().lower()
    if "/" in text:
        return _network(text)
    if len(text) > LONGEST_PATTERN or not _GLOB.fullmatch(text):
        raise ValueError("must be a network such as 192.0.2.0/24, or a name or address in which * and ? may stand")
    return text if is_wild(text) else _literal(text)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:  # its own words repeat the text
        raise ValueError("not a network such as 192.0.2.0/24 or 2001:db8::/32") from None


def _literal(text: str) -> str:
    """An address in the one spelling that hosts have."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.removesuffix(".")
