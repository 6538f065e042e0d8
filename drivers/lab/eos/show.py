"""The `show` commands about the switch itself."""

import datetime

from drivers.lab.eos.config import short_name
from drivers.lab.eos.session import Args, Model, Session, modelled, textual
from drivers.lab.eos.show_interfaces import status_of
from drivers.lab.shape import filler
from drivers.lab.terminal import Output

VERSION = "4.30.1F"
BUILD = f"{VERSION}-lab"
MODEL = "vEOS-lab"


def _version(session: Session, _: Args) -> Model:
    switch = session.switch
    return {
        "mfgName": "Arista",
        "modelName": MODEL,
        "hardwareRevision": "",
        "serialNumber": switch.serial,
        "systemMacAddress": switch.mac,
        "hwMacAddress": switch.mac,
        "version": VERSION,
        "internalVersion": BUILD,
        "internalBuildId": "netpulse-lab",
        "architecture": "x86_64",
        "bootupTimestamp": switch.booted,
        "uptime": switch.uptime_s(),
        "memTotal": 4_002_344,
        "memFree": 2_801_648,
        "isIntlVersion": False,
    }


def _version_text(model: Model) -> Output:
    return f"""\
Arista {model["modelName"]}
Hardware version:
Serial number: {model["serialNumber"]}
Hardware MAC address: {_dotted(model["hwMacAddress"])}
System MAC address: {_dotted(model["systemMacAddress"])}

Software image version: {model["version"]}
Architecture: {model["architecture"]}
Internal build version: {model["internalVersion"]}
Internal build ID: {model["internalBuildId"]}

Uptime: {_uptime(int(model["uptime"]))}
Total memory: {model["memTotal"]} kB
Free memory: {model["memFree"]} kB

"""


def _dotted(mac: str) -> str:
    digits = mac.replace(":", "")
    return ".".join(digits[i : i + 4] for i in range(0, 12, 4))


def _uptime(seconds: int) -> str:
    hours, minutes = seconds // 3600, seconds // 60 % 60
    shown = [f"{hours} hour{'s' * (hours != 1)}"] * bool(hours) + [f"{minutes} minute{'s' * (minutes != 1)}"]
    return " and ".join(shown)


def _hostname(session: Session, _: Args) -> Model:
    name, domain = session.switch.hostname, session.switch.running.value("dns domain")
    return {"hostname": name, "fqdn": f"{name}.{domain}" if domain else name}


def _hostname_text(model: Model) -> Output:
    return f"Hostname: {model['hostname']}\nFQDN:     {model['fqdn']}\n"


def _clock(_: Session, __: Args) -> Model:
    now = datetime.datetime.now(datetime.UTC)
    return {
        "utcTime": now.timestamp(),
        "timezone": "UTC",
        "clockSource": {"local": True},
        "localTime": {
            "year": now.year, "month": now.month, "dayOfMonth": now.day, "dayOfWeek": now.weekday(),
            "hour": now.hour, "min": now.minute, "sec": now.second,
        },
    }  # fmt: skip


def _clock_text(model: Model) -> Output:
    now = datetime.datetime.fromtimestamp(model["utcTime"], datetime.UTC)
    return f"{now:%a %b} {now.day:>2} {now:%H:%M:%S} {now.year}\nTimezone: UTC\nClock source: local\n"


def _inventory(session: Session, _: Args) -> Model:
    return {
        "systemInformation": {
            "name": MODEL,
            "description": "Simulated switch",
            "hardwareRev": "1.0",
            "serialNum": session.switch.serial,
            "mfgDate": "2024-01-01",
        },
        "powerSupplySlots": {},
        "fanTraySlots": {},
        "xcvrSlots": {},
    }


def _inventory_text(model: Model) -> Output:
    system = model["systemInformation"]
    return f"""\
System information
  Model                    Description
  ------------------------ ----------------------------------------------------
  {system["name"]:<24} {system["description"]}

  HW Version  Serial Number  Mfg Date   Epoch
  ----------- -------------- ---------- -----
  {system["hardwareRev"]:<11} {system["serialNum"]:<14} {system["mfgDate"]} 01.00

"""


def _lldp(session: Session, _: Args) -> Model:
    """One neighbour, made up, on each Ethernet interface that is up."""
    ports = [name for name in session.switch.running.interfaces() if name.startswith("Ethernet")]
    up = [name for name in ports if "." not in name and status_of(session, name) == "connected"]
    neighbours = [
        {"port": name, "neighborDevice": "core1.lab", "neighborPort": f"Ethernet{index}", "ttl": 120}
        for index, name in enumerate(up, 1)
    ]
    return {"tablesLastChangeTime": session.switch.booted, "lldpNeighbors": neighbours}


def _lldp_text(model: Model) -> Output:
    row = "{:<10} {:<24} {:<20} {}\n"
    head = row.format("Port", "Neighbor Device ID", "Neighbor Port ID", "TTL")
    rows = [[short_name(n["port"]), n["neighborDevice"], n["neighborPort"], n["ttl"]] for n in model["lldpNeighbors"]]
    return head + row.format("-" * 10, "-" * 24, "-" * 20, "---") + "".join(row.format(*each) for each in rows)


def _users(session: Session, _: Args) -> Output:
    lines = ["    Line      User        Host(s)       Idle        Location"]
    for number, login in sorted(session.switch.lines.items()):
        here = "*" if number == session.line else " "
        lines.append(f"{here}  {number} vty {number:<5} {login.user_name:<11} idle          00:00:00    lab")
    return "\n".join(lines) + "\n"


def _privilege(session: Session, _: Args) -> Model:
    return {"privilegeLevel": session.privilege}


def _big(_: Session, args: Args) -> Output:
    """The lab's own: that many MB."""
    return filler(int(args[0]) * 1_000_000) if args[0].isdecimal() else "% Bad size\n"


SHOWS = {
    "show big <word>": textual(_big),
    "show clock": modelled(_clock, _clock_text),
    "show hostname": modelled(_hostname, _hostname_text),
    "show inventory": modelled(_inventory, _inventory_text),
    "show lldp neighbors": modelled(_lldp, _lldp_text),
    "show privilege": modelled(_privilege, lambda model: f"Current privilege level is {model['privilegeLevel']}\n"),
    "show users": textual(_users),
    "show version": modelled(_version, _version_text),
}
