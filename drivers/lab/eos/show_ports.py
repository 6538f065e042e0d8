"""The `show` commands about ports and VLANs."""

from drivers.lab.eos.config import is_physical, short_name
from drivers.lab.eos.session import Args, Model, Session, modelled
from drivers.lab.eos.show_interfaces import is_bridged, status_of
from drivers.lab.terminal import Output


def _statuses(session: Session, _: Args) -> Model:
    names = [name for name in session.switch.running.interfaces() if is_physical(name)]
    return {"interfaceStatuses": {name: _status(session, name) for name in names}}


def _status(session: Session, name: str) -> Model:
    block = session.switch.running.interface(name)
    bridged, vlan = is_bridged(name, block), int(block.value("switchport access vlan", "1"))
    return {
        "description": block.value("description"),
        "linkStatus": status_of(session, name),
        "lineProtocolStatus": "up" if status_of(session, name) == "connected" else "down",
        "vlanInformation": {
            "interfaceMode": "bridged" if bridged else "routed",
            "interfaceForwardingModel": "bridged" if bridged else "routed",
            **({"vlanId": vlan} if bridged else {}),
        },
        "duplex": "duplexFull",
        "bandwidth": 1_000_000_000,
        "autoNegotiateActive": False,
        "interfaceType": "EbraTestPhyPort",
    }


def _statuses_text(model: Model) -> Output:
    row = "{:<10} {:<20} {:<12} {:<8} {:<6} {:<6} {}\n"
    shown = [row.format("Port", "Name", "Status", "Vlan", "Duplex", "Speed", "Type")]
    for name, each in model["interfaceStatuses"].items():
        vlan = each["vlanInformation"].get("vlanId", "routed")
        shown.append(
            row.format(
                short_name(name), each["description"][:20], each["linkStatus"], vlan, "full", "1G",
                each["interfaceType"],
            )
        )  # fmt: skip
    return "".join(shown)


def _vlans(session: Session, _: Args) -> Model:
    running = session.switch.running
    vlans = {"1": "default"}
    for top, block in running.blocks.items():
        number = top.partition(" ")[2]
        if top.startswith("vlan ") and number.isdecimal():
            vlans[number] = block.value("name", f"VLAN{int(number):04}")
    return {"vlans": {number: _vlan(session, number, name) for number, name in vlans.items()}}


def _vlan(session: Session, number: str, name: str) -> Model:
    running = session.switch.running
    blocks = {port: running.interface(port) for port in running.interfaces()}
    ports = [
        port
        for port, block in blocks.items()
        if is_bridged(port, block) and block.value("switchport access vlan", "1") == number
    ]
    interfaces = {port: {"privatePromoted": False} for port in ports}
    return {"name": name, "status": "active", "dynamic": False, "interfaces": interfaces}


def _vlans_text(model: Model) -> Output:
    row = "{:<5} {:<32} {:<9} {}\n"
    shown = [row.format("VLAN", "Name", "Status", "Ports"), row.format("-" * 5, "-" * 32, "-" * 9, "-" * 30)]
    for number, each in model["vlans"].items():
        ports = ", ".join(short_name(name) for name in each["interfaces"])
        shown.append(row.format(number, each["name"], each["status"], ports))
    return "".join(shown)


SHOWS = {
    "show interfaces status": modelled(_statuses, _statuses_text),
    "show vlan": modelled(_vlans, _vlans_text),
}
