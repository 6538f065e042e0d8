"""The `show` commands."""

import datetime
import time
import zlib
from collections.abc import Iterator

from drivers.lab.ios.config import interface_name, is_virtual
from drivers.lab.ios.session import Args, Session, Show
from drivers.lab.shape import filler
from drivers.lab.terminal import Output

_VERSION = """\
Cisco IOS Software, C2900 Software (C2900-UNIVERSALK9-M), Version 15.7(3)M8, RELEASE SOFTWARE (lab)
Simulated by the NetPulse lab: this text is not from a device.

ROM: System Bootstrap, Version 15.0(1r)M16, RELEASE SOFTWARE (lab)

{hostname} uptime is {uptime}
System returned to ROM by {reason}
System image file is "flash0:c2900-universalk9-mz.SPA.157-3.M8.bin"

Cisco CISCO2911/K9 (revision 1.0) with 483328K/40960K bytes of memory.
Processor board ID {serial}
4 Gigabit Ethernet interfaces
DRAM configuration is 64 bits wide with parity enabled.
255K bytes of non-volatile configuration memory.

Configuration register is 0x2102

"""

_INTERFACE = """\
{name} is {status}, line protocol is {protocol}
  Hardware is {hardware}, address is {mac} (bia {mac})
{description}{address}  MTU 1500 bytes, BW 1000000 Kbit/sec, DLY 10 usec,
     reliability 255/255, txload 1/255, rxload 1/255
  Encapsulation ARPA, loopback not set
  5 minute input rate 0 bits/sec, 0 packets/sec
  5 minute output rate 0 bits/sec, 0 packets/sec
     0 packets input, 0 bytes, 0 no buffer
     0 input errors, 0 CRC, 0 frame, 0 overrun, 0 ignored
     0 packets output, 0 bytes, 0 underruns
     0 output errors, 0 collisions, 0 interface resets
"""


def version(session: Session, _: Args) -> Output:
    router = session.router
    uptime = _uptime(int(time.time() - router.booted))
    return _VERSION.format(hostname=router.hostname, uptime=uptime, reason=router.boot_reason, serial=router.serial)


def _uptime(seconds: int) -> str:
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    counts = [(days, "day"), (hours, "hour"), (minutes, "minute")]
    shown = [f"{n} {unit}{'s' * (n != 1)}" for n, unit in counts if n or unit == "minute"]
    return ", ".join(shown)


def clock(_: Session, __: Args) -> Output:
    now = datetime.datetime.now(datetime.UTC)
    return f"*{now:%H:%M:%S}.{now.microsecond // 1000:03} UTC {now:%a %b} {now.day} {now.year}\n"


def running_config(session: Session, _: Args) -> Output:
    router = session.router
    by = f"!\n! Last configuration change by {router.changed_by}\n" if router.changed_by else ""
    text = by + "\n".join(router.running.lines()) + "\nend\n\n"
    return f"Building configuration...\n\nCurrent configuration : {len(text)} bytes\n{text}"


def running_interface(session: Session, args: Args) -> Output:
    name = interface_name(args[0])
    below = session.router.running.blocks.get(f"interface {name}", [])
    text = "\n".join(["!", f"interface {name}", *(f" {line}" for line in below), "end", "", ""])
    return f"Building configuration...\n\nCurrent configuration : {len(text)} bytes\n{text}"


def startup_config(session: Session, _: Args) -> Output:
    startup = session.router.startup
    if startup is None:
        return "startup-config is not present\n"
    text = "\n".join(startup.lines()) + "\nend\n\n"
    return f"Using {len(text)} out of 262136 bytes\n{text}"


def status(session: Session, name: str) -> tuple[str, str]:
    """An interface's own status and that of its line protocol."""
    below = session.router.running.blocks[f"interface {name}"]
    if "shutdown" in below:
        return "administratively down", "down"
    return ("up", "up") if is_virtual(name) or address(session, name) else ("down", "down")


def mac(session: Session, name: str) -> str:
    digits = f"{zlib.crc32((session.router.serial + name).encode()):08x}"
    return f"0200.{digits[:4]}.{digits[4:]}"


def address(session: Session, name: str) -> str:
    """An interface's first address and mask, `dhcp`, or nothing."""
    return session.router.running.value("ip address", top=f"interface {name}")


def interfaces(session: Session, _: Args) -> Output:
    return _interfaces(session)


def _interfaces(session: Session) -> Iterator[str]:
    for name in session.router.running.interfaces():
        yield _interface(session, name)


def interface(session: Session, args: Args) -> Output:
    name = interface_name(args[0])
    if name is None or name not in session.router.running.interfaces():
        indent = len(session.prompt()) + len("show interfaces ")
        return " " * indent + "^\n% Invalid input detected at '^' marker.\n\n"
    return _interface(session, name)


def _interface(session: Session, name: str) -> str:
    state, protocol = status(session, name)
    description = session.router.running.value("description", top=f"interface {name}")
    shown = address(session, name)
    return _INTERFACE.format(
        name=name,
        status=state,
        protocol=protocol,
        hardware="Loopback" if name.startswith("Loopback") else "CN Gigabit Ethernet",
        mac=mac(session, name),
        description=f"  Description: {description}\n" * bool(description),
        address=f"  Internet address is {shown}\n" * bool(shown),
    )


def inventory(session: Session, _: Args) -> Output:
    return (
        'NAME: "CISCO2911/K9 chassis", DESCR: "CISCO2911/K9 chassis (simulated)"\n'
        f"PID: CISCO2911/K9      , VID: V01, SN: {session.router.serial}\n\n"
    )


def users(session: Session, _: Args) -> Output:
    lines = ["    Line       User       Host(s)              Idle       Location"]
    for number, user in sorted(session.router.lines.items()):
        here = "*" if number == session.line else " "
        lines.append(f"{here}{number + 2:>3} vty {number:<5} {user:<10} idle                 00:00:00   lab")
    return "\n".join(lines) + "\n\n"


def history(session: Session, _: Args) -> Output:
    return "".join(f"  {line}\n" for line in session.history)


def privilege(session: Session, _: Args) -> Output:
    return f"Current privilege level is {session.privilege}\n"


def big(_: Session, args: Args) -> Output:
    """The lab's own: that many MB."""
    return filler(int(args[0]) * 1_000_000) if args[0].isdecimal() else "% Bad size\n"


def tech_support(session: Session, args: Args) -> Output:
    return _tech_support(session, args)


def _tech_support(session: Session, args: Args) -> Iterator[str]:
    for title, run in (("version", version), ("running-config", running_config), ("inventory", inventory)):
        output = run(session, args)
        yield f"\n------------------ show {title} ------------------\n\n"
        yield output if isinstance(output, str) else "".join(output)
    yield from filler(1_000_000)


SHOWS = {
    "show version": Show(version),
    "show clock": Show(clock),
    "show history": Show(history),
    "show interfaces": Show(interfaces),
    "show interfaces <line>": Show(interface),
    "show inventory": Show(inventory),
    "show privilege": Show(privilege),
    "show users": Show(users),
    "show big <word>": Show(big),
    "show running-config": Show(running_config, 15),
    "show running-config interface <line>": Show(running_interface, 15),
    "show startup-config": Show(startup_config, 15),
    "show tech-support": Show(tech_support, 15),
}
