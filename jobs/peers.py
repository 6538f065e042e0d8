"""Whom an HTTP client is connected to."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Peer:
    """Looks at whom we are connected to, before anything is sent: a name's address may change between two look-ups.

    An httpx "trace" extension (https://www.python-httpx.org/advanced/extensions/#trace).
    """

    def __init__(self, *, private: bool, refusal: Exception) -> None:
        """`private`: any address will do. `refusal`: raised for one that is not public."""
        self.checked = private
        self._private = private
        self._refusal = refusal

    async def check(self, event: str, info: Mapping[str, Any]) -> None:
        """Called by httpx. Raises the refusal."""
        if event != "connection.connect_tcp.complete" or self._private:
            return
        stream = info["return_value"]
        if not is_public(stream.get_extra_info("server_addr")[0]):
            await stream.aclose()
            raise self._refusal
        self.checked = True


def is_public(text: str) -> bool:
    """Whether an IP address is one of the internet's: not loopback, link-local, private, multicast or reserved."""
    address = _behind(ipaddress.ip_address(text.partition("%")[0]))
    return address.is_global and not address.is_multicast


def _behind(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
