"""Lines that change the candidate."""

import ipaddress

from drivers.lab.ios.grammar import Parsed
from drivers.lab.ios.keywords import Line, Section
from drivers.lab.vrp.router import interface_name, is_virtual
from drivers.lab.vrp.session import Action, Session

Args = tuple[str, ...]


async def undo(session: Session, args: Args) -> str:
    text = args[0]
    name = interface_name(text.removeprefix("interface ")) if text.startswith("interface ") else None
    if name is not None and not is_virtual(name):
        return "Error: The interface cannot be deleted.\n"
    words = f"interface {name}" if name else text
    if not session.editing.remove(session.view, words) and words == "shutdown":
        session.editing.enter(session.view, "undo shutdown", None)
    return ""


async def interface(session: Session, args: Args) -> str:
    name = interface_name(args[0])
    if name is None:
        return "Error: Wrong parameter found.\n"
    session.view = f"interface {name}"
    session.editing.section(session.view)
    return ""


async def address(session: Session, args: Args) -> str:
    try:
        ipaddress.IPv4Interface("/".join(args))
    except ValueError:
        return "Error: Invalid IP address or mask.\n"
    session.editing.enter(session.view, f"ip address {args[0]} {args[1]}", "ip address")
    return ""


def keep(session: Session, parsed: Parsed[Action]) -> None:
    """Put a line into the candidate."""
    text = " ".join(parsed.words)
    match parsed.action:
        case Line(replaces):
            session.editing.remove(session.view, f"undo {text}")
            session.editing.enter(session.view, text, " ".join(text.split()[:replaces]) or None)
        case Section():
            session.editing.section(text)
            session.view = text
