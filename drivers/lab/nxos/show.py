"""What NX-OS shows otherwise than IOS."""

import time

from drivers.lab.ios.session import Args, Session, Show
from drivers.lab.terminal import Output

_VERSION = """\
Cisco Nexus Operating System (NX-OS) Software
Simulated by the NetPulse lab: this text is not from a device.

Software
  BIOS: version 05.45
  NXOS: version 9.3(8) (lab)
  NXOS image file is: bootflash:///nxos.9.3.8.bin

Hardware
  cisco Nexus9000 C9300v Chassis
  Processor Board ID {serial}

  Device name: {hostname}
  bootflash:    4287040 kB
Kernel uptime is {days} day(s), {hours} hour(s), {minutes} minute(s), {seconds} second(s)

"""


def _version(session: Session, _: Args) -> Output:
    up = int(time.time() - session.router.booted)
    return _VERSION.format(
        serial=session.router.serial,
        hostname=session.router.hostname,
        days=up // 86_400,
        hours=up // 3_600 % 24,
        minutes=up // 60 % 60,
        seconds=up % 60,
    )


def _running(session: Session, _: Args) -> Output:
    return _config("running-config", session.router.running.lines())


def _startup(session: Session, _: Args) -> Output:
    startup = session.router.startup
    return _config("startup-config", startup.lines()) if startup else "No startup configuration\n"


def _config(name: str, lines: list[str]) -> str:
    """NX-OS separates by blank lines and indents by two."""
    shown = ["" if line == "!" else line.replace(" ", "  ", 1) if line.startswith(" ") else line for line in lines]
    stamp = time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime())
    return "\n".join([f"\n!Command: show {name}", f"!Time: {stamp}", "", "version 9.3(8) Bios:version", *shown, ""])


def _status(session: Session, _: Args) -> Output:
    row, rule = "{:<14}{:<19}{:<10}{:<10}{:<8}{:<8}{}", "-" * 80
    lines = [rule, row.format("Port", "Name", "Status", "Vlan", "Duplex", "Speed", "Type"), rule]
    running = session.router.running
    for name in running.interfaces():
        top = f"interface {name}"
        description = running.value("description", "--", top)[:18]
        status = "disabled" if "shutdown" in running.blocks[top] else "connected"
        vlan = "routed" if name == "mgmt0" else running.value("switchport access vlan", "1", top)
        port = name.replace("Ethernet", "Eth")
        lines.append(row.format(port, description, status, vlan, "full", "1000", "--"))
    return "\n".join([*lines, ""])


COMMANDS = {
    "show interface status": Show(_status),
    "show running-config": Show(_running, 15),
    "show startup-config": Show(_startup, 15),
    "show version": Show(_version),
}
