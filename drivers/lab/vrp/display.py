"""The `display` commands, which work in every view."""

import ipaddress
import time

from drivers.lab.ios.config import Config
from drivers.lab.vrp.router import interface_name
from drivers.lab.vrp.session import Do, Session

Args = tuple[str, ...]

_VERSION = """\
Huawei Versatile Routing Platform Software
VRP (R) software, Version 8.210 (NE40E V800R021C00SPC100)
Simulated by the NetPulse lab: this text is not from a device.
HUAWEI NE40E uptime is {days} day, {hours} hours, {minutes} minutes
ESN: {serial}
"""


async def _version(session: Session, _: Args) -> str:
    up = int(time.time() - session.router.booted)
    days, hours, minutes = up // 86_400, up // 3_600 % 24, up // 60 % 60
    return _VERSION.format(days=days, hours=hours, minutes=minutes, serial=session.router.serial)


def text_of(config: Config) -> str:
    """A configuration as VRP shows it."""
    lines = ["#" if line == "!" else line for line in config.lines()]
    return "\n".join([*lines, "return", ""])


async def _current(session: Session, _: Args) -> str:
    return "!Software Version V800R021C00SPC100\n" + text_of(session.router.running)


async def _current_interface(session: Session, args: Args) -> str:
    name = interface_name(args[0])
    top = f"interface {name}"
    below = session.router.running.blocks.get(top)
    if name is None or below is None:
        return "Error: The interface does not exist.\n"
    return "\n".join(["#", top, *(f" {line}" for line in below), "#", "return", ""])


async def _candidate(session: Session, _: Args) -> str:
    return text_of(session.router.running if session.candidate is None else session.candidate)


async def _saved(session: Session, _: Args) -> str:
    return text_of(session.router.startup)


async def _this(session: Session, _: Args) -> str:
    if session.candidate is None or session.view is None:
        return text_of(session.router.running)
    lines = session.router.running.blocks.get(session.view, [])
    return "\n".join(["#", session.view, *(f" {line}" for line in lines), "#", "return", ""])


async def _ip_brief(session: Session, _: Args) -> str:
    row, running = "{:<33}{:<21}{:<11}{:<11}{}", session.router.running
    lines = ["*down: administratively down", row.format("Interface", "IP Address/Mask", "Physical", "Protocol", "VPN")]
    for name in running.interfaces():
        top = f"interface {name}"
        address = _address(running.value("ip address", top=top))
        physical = "*down" if "shutdown" in running.blocks[top] else "up"
        protocol = "up" if physical == "up" and address != "unassigned" else "down"
        lines.append(row.format(name, address, physical, protocol, "--"))
    return "\n".join([*lines, ""])


def _address(text: str) -> str:
    return ipaddress.IPv4Interface("/".join(text.split()[:2])).with_prefixlen if text else "unassigned"


async def _clock(_: Session, __: Args) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S\n%A\nTime Zone(UTC) : UTC\n", time.gmtime())


async def _commits(session: Session, _: Args) -> str:
    lines = [f"{number:<4}can be rolled back to" for number, _ in enumerate(session.router.history, 1)]
    return "\n".join([*lines, ""]) if lines else "Info: No configuration commit record.\n"


COMMANDS = {
    "display clock": Do(_clock),
    "display configuration candidate": Do(_candidate, 15),
    "display configuration commit list": Do(_commits, 15),
    "display current-configuration": Do(_current, 15),
    "display current-configuration interface <line>": Do(_current_interface, 15),
    "display ip interface brief": Do(_ip_brief),
    "display saved-configuration": Do(_saved, 15),
    "display this": Do(_this, 15),
    "display version": Do(_version),
}
