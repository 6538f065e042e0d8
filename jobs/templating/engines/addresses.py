"""Filters over addresses and networks, named as in Ansible: `{{ net | ipaddr("netmask") }}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Address,
    IPv6Interface,
    collapse_addresses,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any

Interface = IPv4Interface | IPv6Interface

_QUERIES: Mapping[str, Callable[[Interface], Any]] = {
    "address": lambda it: str(it.ip),
    "ip": lambda it: str(it.ip),
    "version": lambda it: it.version,
    "int": lambda it: int(it.ip),
    "prefix": lambda it: it.network.prefixlen,
    "netmask": lambda it: str(it.netmask),
    "hostmask": lambda it: str(it.hostmask),
    "wildcard": lambda it: str(it.hostmask),
    "network": lambda it: str(it.network.network_address),
    "network/prefix": lambda it: str(it.network),
    "subnet": lambda it: str(it.network),
    "net": lambda it: str(it.network) if it.ip == it.network.network_address else None,
    "host/prefix": lambda it: str(it),
    "address/prefix": lambda it: str(it),
    "broadcast": lambda it: str(it.network.broadcast_address),
    "size": lambda it: it.network.num_addresses,
    "first_usable": lambda it: _nth(it, 0 if _is_link(it) else 1),
    "last_usable": lambda it: _nth(it, -1 if _is_link(it) else -2),
    "revdns": lambda it: it.ip.reverse_pointer + ".",
    "public": lambda it: str(it) if it.ip.is_global else None,
    "private": lambda it: str(it) if it.ip.is_private else None,
    "loopback": lambda it: str(it) if it.ip.is_loopback else None,
    "multicast": lambda it: str(it) if it.ip.is_multicast else None,
}


def ipaddr(value: object, query: str | int = "", version: int | None = None) -> Any:
    """What `query` asks of an address, with or without prefix; a number: that address of the network, with prefix.

    Without a query the value itself if it is an address, else false. A list: those of its members that answer.
    """
    if isinstance(value, (list, tuple)):
        return [answer for each in value if (answer := ipaddr(each, query, version)) not in (False, None)]
    interface = _interface(value)
    if interface is None or version not in (None, interface.version):
        return False
    if query == "":
        return str(value)
    if isinstance(query, int):
        return f"{_nth(interface, query)}/{interface.network.prefixlen}"
    if query not in _QUERIES:
        raise ValueError(query)
    return _QUERIES[query](interface)


def ipv4(value: object, query: str | int = "") -> Any:
    """`ipaddr` for IPv4 only."""
    return ipaddr(value, query, 4)


def ipv6(value: object, query: str | int = "") -> Any:
    """`ipaddr` for IPv6 only."""
    return ipaddr(value, query, 6)


def ipmath(value: str, amount: int) -> str:
    """The address so many further on."""
    return str(ip_interface(value).ip + amount)


def nthhost(value: str, index: int) -> str:
    """That address of the network; negative: from its end."""
    return str(_nth(ip_interface(value), index))


def ipsubnet(value: str, prefix: int, index: int | None = None) -> Any:
    """How many networks of `prefix` fit into this one; with `index`: that one of them."""
    network = ip_network(value, strict=False)
    if not network.prefixlen <= prefix <= network.max_prefixlen:
        raise ValueError(prefix)
    count = 1 << (prefix - network.prefixlen)
    if index is None:
        return count
    if not -count <= index < count:
        raise IndexError(index)
    step = 1 << (network.max_prefixlen - prefix)
    return f"{network.network_address + (index % count) * step}/{prefix}"


def cidr_contains(network: str, inner: str) -> bool:
    """Whether an address or a network lies within `network`."""
    outer, other = ip_network(network, strict=False), ip_interface(inner).network
    return outer.version == other.version and int(outer.network_address) <= int(other.network_address) <= int(
        other.broadcast_address
    ) <= int(outer.broadcast_address)


def cidr_merge(networks: list[str]) -> list[str]:
    """The fewest networks that cover the same addresses, of both families."""
    parsed = [ip_network(network, strict=False) for network in networks]
    v4 = collapse_addresses(network for network in parsed if network.version == 4)
    v6 = collapse_addresses(network for network in parsed if network.version == 6)
    return [str(network) for network in (*v4, *v6)]


FILTERS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (ipaddr, ipv4, ipv6, ipmath, nthhost, ipsubnet, cidr_contains, cidr_merge)
}


def _interface(value: object) -> Interface | None:
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return None
    try:
        return ip_interface(value)
    except ValueError:
        return None


def _nth(interface: Interface, index: int) -> IPv4Address | IPv6Address | str:
    size = interface.network.num_addresses
    if not -size <= index < size:
        raise IndexError(index)
    return str(ip_address(int(interface.network.network_address) + index % size))


def _is_link(interface: Interface) -> bool:
    """Networks of one or two addresses have no network and broadcast address (RFC 3021, RFC 6164)."""
    return interface.network.num_addresses <= 2
