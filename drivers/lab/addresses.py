"""Where the devices listen: no root, no set-up, loopback only unless told otherwise."""

import ipaddress
from collections.abc import Iterator

DEFAULT_HOST = "127.0.0.1"


def plan(count: int, *, host: str = DEFAULT_HOST, port: int = 0, spread: bool = False) -> list[tuple[str, int]]:
    """Addresses for `count` devices.

    By default one TCP port each on `host`: `port`, `port` + 1, …, or free ones that the kernel chooses (0). With
    `spread` each has its own address from `host` on and all have the same port; Linux answers on all of 127.0.0.0/8,
    macOS does not. Raises ValueError when there is no room.
    """
    if not 0 <= port <= 65535 or (port and not spread and port + count - 1 > 65535):
        raise ValueError(f"no room for {count} ports from {port}")
    if spread:
        return [(address, port) for address, _ in zip(_hosts(host), range(count), strict=False)]
    return [(host, port + index if port else 0) for index in range(count)]


def _hosts(first: str) -> Iterator[str]:
    """`first` and the addresses after it, without those that look like a network or a broadcast address."""
    address = ipaddress.IPv4Address(first)
    while True:
        if address.packed[3] not in (0, 255):
            yield str(address)
        address += 1
