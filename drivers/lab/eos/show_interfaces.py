"""The `show` commands about interfaces and their addresses."""

import zlib
from collections.abc import Iterator

from drivers.lab.eos.config import Config, interface_name, is_physical
from drivers.lab.eos.errors import INVALID, Refused
from drivers.lab.eos.session import Args, Model, Session, modelled
from drivers.lab.terminal import Output

_COUNTERS = (
    "inOctets", "inUcastPkts", "inMulticastPkts", "inBroadcastPkts", "inDiscards", "inTotalPkts", "totalInErrors",
    "outOctets", "outUcastPkts", "outMulticastPkts", "outBroadcastPkts", "outDiscards", "outTotalPkts",
    "totalOutErrors", "linkStatusChanges",
)  # fmt: skip


def status_of(session: Session, name: str) -> str:
    """`connected`, `notconnect` or `disabled`. What has an address, or is virtual, is connected."""
    block = session.switch.running.interface(name)
    if "shutdown" in block.blocks:
        return "disabled"
    return "connected" if not is_physical(name) or block.value("ip address") else "notconnect"


def _chosen(session: Session, args: Args) -> list[str]:
    """The interfaces that a command is about: all, or one. Raises Refused."""
    names = session.switch.running.interfaces()
    if not args:
        return names
    name = interface_name(args[0])
    if name is None or name not in names:
        raise Refused("Interface does not exist", code=INVALID)
    return [name]


def _interfaces(session: Session, args: Args) -> Model:
    return {"interfaces": {name: _interface(session, name) for name in _chosen(session, args)}}


def _interface(session: Session, name: str) -> Model:
    block, status = session.switch.running.interface(name), status_of(session, name)
    return {
        "name": name,
        "lineProtocolStatus": "up" if status == "connected" else "down",
        "interfaceStatus": status,
        "hardware": _hardware(name),
        "description": block.value("description"),
        "bandwidth": 0 if name.startswith("Loopback") else 1_000_000_000,
        "mtu": int(block.value("mtu", "1500")),
        "physicalAddress": _mac(session, name),
        "burnedInAddress": _mac(session, name),
        "lastStatusChangeTimestamp": session.switch.booted,
        "forwardingModel": "bridged" if is_bridged(name, block) else "routed",
        "interfaceAddress": [address] if (address := _address(block)) else [],
        "interfaceCounters": dict.fromkeys(_COUNTERS, 0),
    }


def _hardware(name: str) -> str:
    if "." in name:
        return "subinterface"
    return {"Loopback": "loopback", "Vlan": "vlan", "Port-Channel": "portChannel"}.get(
        name.rstrip("0123456789/"), "ethernet"
    )


def _mac(session: Session, name: str) -> str:
    digits = f"{zlib.crc32((session.switch.serial + name).encode()):08x}"
    return "02:00:" + ":".join(digits[i : i + 2] for i in range(0, 8, 2))


def is_bridged(name: str, block: Config) -> bool:
    """Whether a port is in a VLAN and has no address."""
    return name.startswith(("Ethernet", "Port-Channel")) and "." not in name and "no switchport" not in block.blocks


def _address(block: Config) -> Model | None:
    """The interface's addresses as EOS models them; None if it has none."""
    primary, length = _split(block.value("ip address"))
    if not primary:
        return None
    others = [line.split(" ")[2] for line in block.blocks if line.endswith(" secondary")]
    secondary = [{"address": address, "maskLen": size} for address, size in map(_split, others)]
    return {
        "primaryIp": {"address": primary, "maskLen": length},
        "secondaryIps": {each["address"]: each for each in secondary},
        "secondaryIpsOrderedList": secondary,
        "broadcastAddress": "255.255.255.255",
        "dhcp": False,
    }


def _split(text: str) -> tuple[str, int]:
    address, slash, length = text.partition(" ")[0].partition("/")
    return (address, int(length)) if slash else ("", 0)


def _interfaces_text(model: Model) -> Output:
    return _interface_texts(model)


def _interface_texts(model: Model) -> Iterator[str]:
    for name, each in model["interfaces"].items():
        yield _interface_text(name, each)


def _interface_text(name: str, each: Model) -> str:
    status = "administratively down" if each["interfaceStatus"] == "disabled" else each["lineProtocolStatus"]
    mac = each["physicalAddress"].replace(":", "")
    mac = f"{mac[:4]}.{mac[4:8]}.{mac[8:]}"
    lines = [
        f"{name} is {status}, line protocol is {each['lineProtocolStatus']} ({each['interfaceStatus']})",
        f"  Hardware is {each['hardware'].capitalize()}, address is {mac} (bia {mac})",
        *([f"  Description: {each['description']}"] if each["description"] else []),
        *(f"  Internet address is {_prefix(a)}" for a in each["interfaceAddress"]),
        f"  IP MTU {each['mtu']} bytes, BW {each['bandwidth'] // 1000} kbit",
        "  Full-duplex, 1Gb/s, auto negotiation: off, uni-link: n/a",
        "     0 packets input, 0 bytes",
        "     0 input errors, 0 CRC, 0 alignment, 0 symbol, 0 input discards",
        "     0 packets output, 0 bytes",
        "     0 output errors, 0 collisions",
    ]
    return "\n".join(lines) + "\n"


def _prefix(address: Model) -> str:
    return f"{address['primaryIp']['address']}/{address['primaryIp']['maskLen']}"


def _ip_interfaces(session: Session, _: Args) -> Model:
    running = session.switch.running
    found = {name: (_address(running.interface(name)), status_of(session, name)) for name in running.interfaces()}
    return {
        "interfaces": {
            name: {
                "name": name,
                "lineProtocolStatus": "up" if status == "connected" else "down",
                "interfaceStatus": status,
                "mtu": int(running.interface(name).value("mtu", "1500")),
                "enabled": status != "disabled",
                "interfaceAddress": address,
            }
            for name, (address, status) in found.items()
            if address is not None
        }
    }


def _ip_interfaces_text(model: Model) -> Output:
    return "".join(
        f"{name} is {each['interfaceStatus']}, line protocol is {each['lineProtocolStatus']}\n"
        f"  Internet address is {_prefix(each['interfaceAddress'])}\n"
        f"  IP MTU {each['mtu']} bytes\n"
        for name, each in model["interfaces"].items()
    )


def _ip_brief(session: Session, args: Args) -> Model:
    interfaces = _ip_interfaces(session, args)["interfaces"]
    for each in interfaces.values():
        each["interfaceAddress"] = {"ipAddr": each["interfaceAddress"]["primaryIp"]}
    return {"interfaces": interfaces}


def _ip_brief_text(model: Model) -> Output:
    row = "{:<17} {:<20} {:<10} {:<12} {}\n"
    shown = [row.format("Interface", "IP Address", "Status", "Protocol", "MTU")]
    for name, each in model["interfaces"].items():
        address = each["interfaceAddress"]["ipAddr"]
        prefix, status = f"{address['address']}/{address['maskLen']}", each["lineProtocolStatus"]
        shown.append(row.format(name, prefix, status, status, each["mtu"]))
    return "".join(shown)


def _ipv6_interfaces(_: Session, __: Args) -> Model:
    raise Refused("No IPv6 configured interfaces")


SHOWS = {
    "show interfaces": modelled(_interfaces, _interfaces_text),
    "show interfaces <word>": modelled(_interfaces, _interfaces_text),
    "show ip interface": modelled(_ip_interfaces, _ip_interfaces_text),
    "show ip interface brief": modelled(_ip_brief, _ip_brief_text),
    "show ipv6 interface": modelled(_ipv6_interfaces, _ip_interfaces_text),
}
