"""`show` commands about addresses and neighbours."""

import ipaddress
from collections.abc import Iterator

from drivers.lab.ios import show
from drivers.lab.ios.session import Args, Session, Show
from drivers.lab.terminal import Output

_ARP = "{:<10}{:<17}{:>9}   {:<16}{:<7}{}\n"


def _addresses(session: Session, name: str) -> Iterator[tuple[str, ipaddress.IPv4Interface]]:
    """The IPv4 addresses of an interface, each with `Internet` or `Secondary`."""
    for line in session.router.running.blocks[f"interface {name}"]:
        words = line.split()
        if words[:2] == ["ip", "address"] and len(words) >= 4:
            kind = "Secondary" if words[-1] == "secondary" else "Internet"
            yield kind, ipaddress.IPv4Interface(f"{words[2]}/{words[3]}")


def _brief(session: Session, _: Args) -> Output:
    row = "{:<27}{:<16}{:<4}{:<7}{:<22}{}"
    lines = [row.format("Interface", "IP-Address", "OK?", "Method", "Status", "Protocol").rstrip()]
    for name in session.router.running.interfaces():
        status, protocol = show.status(session, name)
        address = show.address(session, name).partition(" ")[0] or "unassigned"
        lines.append(row.format(name, address, "YES", "NVRAM", status, protocol))
    return "\n".join(lines) + "\n"


def _ip_interface(session: Session, _: Args) -> Output:
    return "".join(_ip_interfaces(session))


def _ip_interfaces(session: Session) -> Iterator[str]:
    for name in session.router.running.interfaces():
        status, protocol = show.status(session, name)
        yield f"{name} is {status}, line protocol is {protocol}\n"
        found = [*_addresses(session, name)]
        for kind, address in found:
            yield f"  {kind} address {'is ' * (kind == 'Internet')}{address.with_prefixlen}\n"
        yield "  MTU is 1500 bytes\n" if found else "  Internet protocol processing disabled\n"


def _arp(session: Session, _: Args) -> Output:
    """Its own addresses: nobody else is on these wires."""
    rows = [_ARP.format("Protocol", "Address", "Age (min)", "Hardware Addr", "Type", "Interface")]
    for name in session.router.running.interfaces():
        if show.status(session, name)[0] == "up" and not name.startswith("Loopback"):
            mac = show.mac(session, name)
            rows += [_ARP.format("Internet", str(a.ip), "-", mac, "ARPA", name) for _, a in _addresses(session, name)]
    return "".join(rows)


def _hosts(session: Session, _: Args) -> Output:
    domain = session.router.running.value("ip domain name")
    return (f"Default domain is {domain}" if domain else "Default domain is not set") + "\nName servers are none\n"


def _lldp(session: Session, _: Args) -> Output:
    if "lldp run" not in session.router.running.blocks:
        return "% LLDP is not enabled\n"
    return "\nTotal entries displayed: 0\n\n"


def _ntp_associations(session: Session, _: Args) -> Output:
    running = session.router.running
    servers = [top.split()[2] for top in running.blocks if top.startswith("ntp server ")]
    if not servers:
        return "%NTP is not enabled.\n"
    head = "  address         ref clock       st   when   poll reach  delay  offset   disp\n"
    rows = [f" ~{server:<16}.INIT.          16      -     64     0  0.000   0.000 15937.\n" for server in servers]
    return head + "".join(rows) + " * sys.peer, # selected, + candidate, - outlyer, x falseticker, ~ configured\n"


def _nothing(_: Session, __: Args) -> Output:
    return ""


COMMANDS = {
    "show arp": Show(_arp),
    "show hosts": Show(_hosts),
    "show ip arp": Show(_arp),
    "show ip interface brief": Show(_brief),
    "show ip interface": Show(_ip_interface),
    "show ipv6 interface": Show(_nothing),
    "show lldp neighbors": Show(_lldp),
    "show lldp neighbors detail": Show(_lldp),
    "show ntp associations": Show(_ntp_associations),
    "show running-config all": Show(show.running_config, 15),
}
