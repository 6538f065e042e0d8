"""Configuration mode, the modes below it, and configuration sessions."""

import ipaddress

from drivers.lab.eos.config import interface_name, is_physical
from drivers.lab.eos.errors import Refused
from drivers.lab.eos.keywords import ON_BY_DEFAULT, Special
from drivers.lab.eos.reading import Reading, check_spelling, read
from drivers.lab.eos.session import Place, Session
from drivers.lab.eos.sessions import seconds_of
from drivers.lab.eos.switch import clean, sealed
from drivers.lab.ios.grammar import CliError, Incomplete, Invalid, words_of
from drivers.lab.ios.keywords import Line, Section


async def obey(session: Session, line: str, *, complete: bool = True) -> None:
    """Run one configuration line. Raises CliError or Refused; nothing has changed then.

    `complete` False: words must be typed in full.
    """
    reading, places = read(session, line), session.places
    if reading.action is None:
        raise reading.error or Incomplete
    if not complete:
        check_spelling(line, reading.words)
    try:
        await _act(session, line, reading)
    except (CliError, Refused):
        session.places = places
        raise


async def _act(session: Session, line: str, reading: Reading) -> None:
    match reading.action:
        case Special.END:
            session.leave()
        case Special.EXIT:
            _exit(session)
        case Special.NO | Special.DEFAULT:
            _negate(session, line, denied=reading.action is Special.NO)
        case Special.ABORT | Special.COMMIT | Special.COMMIT_TIMER | Special.ROLLBACK:
            _finish(session, reading)
        case _:
            session.places = (session.places or ())[: reading.depth]
            await _enter(session, line, reading)


def _finish(session: Session, reading: Reading) -> None:
    """What only a configuration session knows. Raises Refused."""
    candidate, sessions = session.candidate, session.switch.sessions
    assert candidate is not None
    match reading.action:
        case Special.ROLLBACK:
            candidate.config, session.places = clean(), ()
            return
        case Special.ABORT:
            sessions.abort(candidate)
        case Special.COMMIT:
            sessions.commit(candidate)
        case Special.COMMIT_TIMER:
            sessions.commit_for(candidate, seconds_of(reading.words[-1]))
    session.leave()


def _exit(session: Session) -> None:
    if session.places:
        session.places = session.places[:-1]
    else:
        session.leave()


def _second(line: str) -> int:
    """The column of the second word."""
    return words_of(line)[1].column


async def _enter(session: Session, line: str, reading: Reading) -> None:
    assert reading.parsed is not None
    text, args, places = " ".join(reading.words), reading.parsed.args, session.places or ()
    match reading.action:
        case Line(replaces):
            _keep(session, text, " ".join(text.split(" ")[:replaces]) or None)
        case Section(mode):
            session.places = (*places, Place(text, mode))
        case Special.INTERFACE:
            session.places = (Place(f"interface {_interface(args[0], line)}", "if"),)
        case Special.VLAN:
            session.places = (Place(f"vlan {_vlan(args[0], line)}", "vlan"),)
        case Special.IP_ADDRESS:
            _check_address(line, args[0])
            session.block.enter(text, None if text.endswith(" secondary") else "ip address")
        case Special.SECRET:
            _keep_secret(session, text)
        case Special.BANNER:
            await _banner(session, text)
        case Special.COMMENT:
            await _lines(session)
    _ = session.block  # a section is there once it has been entered
    _touch(session)


def _touch(session: Session) -> None:
    session.switch.unsaved = session.switch.unsaved or session.candidate is None


def _mode(session: Session) -> str:
    return session.places[-1].mode if session.places else ""


def _keep(session: Session, text: str, replaces: str | None) -> None:
    if text in ON_BY_DEFAULT.get(_mode(session), ()):
        session.block.remove(f"no {text}")
    else:
        session.block.enter(text, replaces)


def _keep_secret(session: Session, text: str) -> None:
    """`username … secret x` and `enable password x`, kept sealed unless they are already."""
    words = text.replace("enable secret", "enable password").split(" ")
    if words[-2] in ("secret", "password"):
        words[-1:] = ["sha512", sealed(words[-1])]
    session.block.enter(" ".join(words), " ".join(words[:2]))


def _interface(text: str, line: str) -> str:
    name = interface_name(text)
    if name is None or (is_physical(name) and name not in clean().interfaces()):
        raise Invalid(_second(line))
    return name


def _vlan(text: str, line: str) -> str:
    """A number, or several: `10,20-22`."""
    for part in text.replace("-", ",").split(","):
        if not (part.isdecimal() and 1 <= int(part) <= 4094):
            raise Invalid(_second(line))
    return text


def _check_address(line: str, text: str) -> None:
    """`dhcp`, or an address and the length of its prefix. Raises Invalid."""
    word = text.split()[0]
    try:
        if word != "dhcp" and "/" not in word:
            raise ValueError(word)
        _ = word == "dhcp" or ipaddress.IPv4Interface(word)
    except ValueError:
        raise Invalid(next(w.column for w in words_of(line) if w.text == word)) from None


def _negate(session: Session, line: str, *, denied: bool) -> None:
    """`no …` and `default …`: take away what starts with these words, however little of it was typed."""
    reading = read(session, line, _second(line))
    session.places = (session.places or ())[: reading.depth]
    text, block = " ".join(reading.words), session.block
    if reading.action is Special.INTERFACE:
        name = interface_name(reading.words[-1])
        if name is None:
            raise Invalid(_second(line))
        text = f"interface {name}"
    text = text.replace("enable secret", "enable password")
    on_by_default = text in ON_BY_DEFAULT.get(_mode(session), ())
    block.remove(text)
    block.remove(f"no {text}")
    if denied and on_by_default:
        block.enter(f"no {text}")
    if text.startswith("interface ") and is_physical(text.partition(" ")[2]):
        block.at([text])
    _touch(session)


async def _banner(session: Session, kind: str) -> None:
    """A text that ends with a line `EOF`."""
    if session.terminal is not None:
        session.terminal.write("Enter TEXT message. Type 'EOF' on its own line to end.\n")
    session.places = ()
    session.config.enter("\n".join([kind, *await _lines(session), "EOF"]), kind)


async def _lines(session: Session) -> list[str]:
    """What is typed, or given as a command's input, up to `EOF`."""
    lines: list[str] = []
    while (line := await session.asker.ask("")) != "EOF":
        lines.append(line)
    return lines
