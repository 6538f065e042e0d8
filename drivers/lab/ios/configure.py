"""Configuration mode and the modes below it."""

import ipaddress

from drivers.lab.ios import exec as exec_mode
from drivers.lab.ios.config import interface_name, is_virtual
from drivers.lab.ios.grammar import CliError, Grammar, Incomplete, Invalid, Parsed, words_of
from drivers.lab.ios.keywords import BELOW, ON_BY_DEFAULT, Action, Line, Section, Special
from drivers.lab.ios.router import sealed
from drivers.lab.ios.session import Session


async def obey(session: Session, line: str) -> None:
    """Run one configuration line. Raises CliError; nothing has changed then."""
    parsed = _parse(session, line)
    match parsed.action:
        case Special.END:
            session.configure(None)
        case Special.EXIT:
            session.configure("config" if session.section else None)
        case Special.DO:
            await exec_mode.obey(session, line, _second(line))
        case Special.NO | Special.DEFAULT:
            _negate(session, line)
        case Special.BANNER:
            await _banner(session, parsed.args)
        case _:
            _enter(session, line, parsed)


def grammar(session: Session) -> Grammar[Action]:
    return BELOW.get(session.mode, session.global_words)


def _parse(session: Session, line: str, start: int = 0) -> Parsed[Action]:
    """Read a line in the current mode or, as IOS does, as a global one, which leaves the mode.

    Where both could be meant (`ip route …` below an interface) the closer reading counts. Raises CliError.
    """
    if session.section is None:
        return session.global_words.parse(line, start)
    wide = _parse_globally(session, line, start)
    try:
        near = grammar(session).parse(line, start)
    except Invalid:
        if wide is None:
            raise
    else:
        if wide is None or wide.keywords <= near.keywords:
            return near
    session.configure()
    return wide


def _parse_globally(session: Session, line: str, start: int) -> Parsed[Action] | None:
    try:
        return session.global_words.parse(line, start)
    except CliError:
        return None


def _second(line: str) -> int:
    """The column of the second word."""
    return words_of(line)[1].column


def _enter(session: Session, line: str, parsed: Parsed[Action]) -> None:
    config, text = session.router.running, " ".join(parsed.words)
    match parsed.action:
        case Line(replaces):
            key = " ".join(text.split(" ")[:replaces]) or None
            config.enter(session.section, text, key)
        case Section(mode):
            config.section(text)
            session.configure(mode, text)
        case Special.INTERFACE:
            _interface(session, parsed.args[0], line)
        case Special.VLAN:
            _vlan(session, parsed.args[0], line)
        case Special.IP_ADDRESS:
            _check_address(line, parsed.args[0], prefix=session.prefix_lengths)
            config.enter(session.section, text, None if text.endswith(" secondary") else "ip address")
        case Special.ENABLE_SECRET:
            secret = parsed.args[0]
            shown = secret.removeprefix("9 ") if secret.startswith("9 $9$") else sealed(secret)
            config.enter(None, f"enable secret 9 {shown}", "enable secret")
    session.router.touch(session.user.name)


def _interface(session: Session, text: str, line: str) -> None:
    name = interface_name(text)
    if name is None or not (is_virtual(name) or name in session.router.running.interfaces()):
        raise Invalid(_second(line))
    top = f"interface {name}"
    session.router.running.section(top)
    session.configure("config-if", top)


def _vlan(session: Session, text: str, line: str) -> None:
    if not (text.isdecimal() and 1 <= int(text) <= 4094):
        raise Invalid(_second(line))
    session.router.running.section(f"vlan {text}")
    session.configure("config-vlan", f"vlan {text}")


def _check_address(line: str, text: str, *, prefix: bool) -> None:
    """`dhcp`, or an address and a mask (`prefix`: its length). Raises CliError."""
    words = text.split()
    columns = {word.text: word.column for word in words_of(line)}
    if words[0] == "dhcp":
        return
    for word in words[: 1 if prefix else 2]:
        try:
            _ = ipaddress.IPv4Interface(word) if prefix else ipaddress.IPv4Address(word)
        except ValueError:
            raise Invalid(columns[word]) from None
    if len(words) < 2 and not prefix:
        raise Incomplete


def _negate(session: Session, line: str) -> None:
    """`no …` and `default …`: take away what starts with these words, however little of it was typed."""
    start = _second(line)
    try:
        words = _parse(session, line, start).words
    except Incomplete as incomplete:
        words = incomplete.words
    if words[0] == "interface":
        _reset_interface(session, words[-1], start, denied=line.lstrip()[0] in "nN")
    else:
        _remove(session, " ".join(words), denied=line.lstrip()[0] in "nN")


def _remove(session: Session, text: str, *, denied: bool) -> None:
    session.router.running.remove(session.section, text)
    if denied and text in ON_BY_DEFAULT:
        session.router.running.enter(session.section, f"no {text}", None)
    session.router.touch(session.user.name)


def _reset_interface(session: Session, text: str, column: int, *, denied: bool) -> None:
    """`no interface` removes a virtual one, `default interface` empties any."""
    name, config = interface_name(text), session.router.running
    if name is None:
        raise Invalid(column)
    if denied and not is_virtual(name):
        session.terminal.write("% Removal of physical interfaces is not permitted.\n")
        return
    gone = config.blocks.pop(f"interface {name}", None)
    if gone is not None and not denied:
        config.section(f"interface {name}")
    session.router.touch(session.user.name)


async def _banner(session: Session, args: tuple[str, ...]) -> None:
    """A text between two delimiters, over as many lines as it takes."""
    kind, rest = args
    mark = "^C" if rest.startswith("^C") else rest[0]
    text, closed, _ = rest[len(mark) :].partition(mark)
    if not closed:
        session.terminal.write(f"Enter TEXT message.  End with the character '{mark}'.\n")
    while not closed:
        more, closed, _ = (await session.terminal.ask("")).partition(mark)
        text += "\n" + more
    session.router.running.enter(None, f"banner {kind} ^C{text}^C", f"banner {kind}")
    session.router.touch(session.user.name)
