"""Operational mode."""

import time

from drivers.lab.ios.grammar import Grammar
from drivers.lab.junos.session import Handler, Session
from drivers.lab.junos.statements import words
from drivers.lab.persona import LoggedOut, Rebooting

Args = tuple[str, ...]

_VERSION = """\
Hostname: {hostname}
Model: vmx
Junos: 21.4R3.15
JUNOS OS Kernel 64-bit [simulated by the NetPulse lab: this text is not from a device]
"""


async def _version(session: Session, _: Args, __: list[str]) -> str:
    return _VERSION.format(hostname=session.router.hostname)


async def configuration(session: Session, args: Args, pipes: list[str]) -> str:
    """`show configuration [path]`; takes `display set` and `compare rollback N` off the pipes."""
    router, below = session.router, words(args[0]) if args else ()
    if pipes and pipes[0].startswith("compare rollback "):
        number = pipes.pop(0).rpartition(" ")[2]
        if not number.isdecimal() or int(number) >= len(router.history):
            return f"error: rollback {number} is not available\n"
        return router.active.compare(router.history[int(number)].statements)
    if pipes and pipes[0] == "display set":
        del pipes[0]
        return "".join(f"{line}\n" for line in router.active.set_lines(below))
    latest = router.history[0]
    stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(latest.at))
    head = "" if below else f"## Last commit: {stamp} by {latest.user}\nversion 21.4R3.15;\n"
    return head + router.active.text(below)


async def _commits(session: Session, _: Args, __: list[str]) -> str:
    lines = []
    for number, commit in enumerate(session.router.history):
        stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(commit.at))
        pending = session.router.pending if number == 0 else None
        waits = f" commit confirmed, rollback in {pending.minutes}mins" if pending else ""
        lines.append(f"{number:<4}{stamp} by {commit.user} via cli{waits}\n")
        lines += [f"    {commit.comment}\n"] * bool(commit.comment)
    return "".join(lines)


async def _interfaces(session: Session, _: Args, __: list[str]) -> str:
    row, active = "{:<24}{:<6}{:<5}{:<9}{}", session.router.active
    lines = [row.format("Interface", "Admin", "Link", "Proto", "Local")]
    for name in active.names("interfaces"):
        up = "down" if ("interfaces", name, "disable") in active.paths else "up"
        lines.append(row.format(name, up, up, "", ""))
        for unit in active.names("interfaces", name, "unit"):
            family = ("interfaces", name, "unit", unit, "family", "inet", "address")
            addresses = active.names(*family) or [""]
            lines += [row.format(f"{name}.{unit}", up, up, "inet" if a else "", a) for a in addresses]
    return "\n".join(line.rstrip() for line in lines) + "\n"


async def _uptime(session: Session, _: Args, __: list[str]) -> str:
    booted = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(session.router.booted))
    return f"Current time: {time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())}\nSystem booted: {booted}\n"


async def _hardware(session: Session, _: Args, __: list[str]) -> str:
    row = "{:<17}{:<9}{:<13}{:<18}{}\n"
    head = row.format("Item", "Version", "Part number", "Serial number", "Description")
    return "Hardware inventory:\n" + head + row.format("Chassis", "", "", session.router.serial, "VMX (simulated)")


async def _screen_length(session: Session, args: Args, _: list[str]) -> str:
    return _screen(session, "length", args[0])


async def _screen_width(session: Session, args: Args, _: list[str]) -> str:
    return _screen(session, "width", args[0])


def _screen(session: Session, what: str, size: str) -> str:
    if not size.isdecimal() or int(size) > 10_000:
        return f"error: Invalid numeric value: '{size}'\n"
    setattr(session.terminal, what, int(size))
    return f"Screen {what} set to {size}\n"


async def _complete_off(_: Session, __: Args, ___: list[str]) -> str:
    return "Disabling complete-on-space\n"


async def _complete_on(_: Session, __: Args, ___: list[str]) -> str:
    return "Enabling complete-on-space\n"


async def _configure(session: Session, _: Args, __: list[str]) -> str:
    return session.enter("shared")


async def _exclusive(session: Session, _: Args, __: list[str]) -> str:
    return session.enter("exclusive")


async def _private(session: Session, _: Args, __: list[str]) -> str:
    return session.enter("private")


async def _exit(_: Session, __: Args, ___: list[str]) -> str:
    raise LoggedOut


async def _reboot(session: Session, _: Args, __: list[str]) -> str:
    if (await session.terminal.ask("Reboot the system ? [yes,no] (no) ")).lower().startswith("y"):
        raise Rebooting
    return ""


_READS: dict[str, Handler] = {
    "exit": _exit,
    "quit": _exit,
    "set cli complete-on-space off": _complete_off,
    "set cli complete-on-space on": _complete_on,
    "set cli screen-length <word>": _screen_length,
    "set cli screen-width <word>": _screen_width,
    "show chassis hardware": _hardware,
    "show interfaces terse": _interfaces,
    "show system commit": _commits,
    "show system uptime": _uptime,
    "show version": _version,
}
_WRITES: dict[str, Handler] = {
    "configure": _configure,
    "configure exclusive": _exclusive,
    "configure private": _private,
    "request system reboot": _reboot,
    "show configuration": configuration,
    "show configuration <line>": configuration,
}
_ALL = Grammar({**_READS, **_WRITES})
_READ_ONLY = Grammar(_READS)


def grammar(session: Session) -> Grammar[Handler]:
    """What the user may do: below privilege 15 (a read-only class), neither change nor see the configuration."""
    return _ALL if session.user.privilege >= 15 else _READ_ONLY
