"""The user view, the system view and the views below it."""

from drivers.lab.ios.grammar import Grammar, Incomplete, Invalid, Parsed
from drivers.lab.ios.keywords import Line, Section
from drivers.lab.persona import LoggedOut, Rebooting
from drivers.lab.vrp import display, edit
from drivers.lab.vrp.session import Action, Do, Session

Args = tuple[str, ...]

_UNCOMMITTED = (
    "Warning: Uncommitted configurations found. Are you sure to commit them before exiting? [Y(yes)/N(no)/C(cancel)]:"
)
_TRIAL_S = range(60, 65_536)


async def _system_view(session: Session, _: Args) -> str:
    session.enter()
    return "Enter system view, return user view with return command.\n"


async def _screen_length(session: Session, args: Args) -> str:
    if not args[0].isdecimal() or int(args[0]) > 512:
        return "Error: Wrong parameter found.\n"
    session.terminal.length = int(args[0])
    return "Info: The configuration takes effect on the current user terminal interface only.\n"


async def _save(session: Session, _: Args) -> str:
    question = "Warning: The current configuration will be written to the device.\nAre you sure to continue? [Y/N]:"
    if not (await session.terminal.ask(question)).lower().startswith("y"):
        return ""
    session.router.startup = session.router.running.copy()
    return "Now saving the current configuration to the slot 1 .\nInfo: Save the configuration successfully.\n"


async def _reboot(session: Session, _: Args) -> str:
    if (await session.terminal.ask("System will reboot! Continue? [Y/N]:")).lower().startswith("y"):
        raise Rebooting
    return ""


async def _rollback(session: Session, args: Args) -> str:
    """Back to what ran before the last N commits."""
    history, number = session.router.history, args[0]
    if not number.isdecimal() or not 1 <= int(number) <= len(history):
        return "Error: The commit record does not exist.\n"
    session.router.commit(history[int(number) - 1])
    return "Info: Succeeded in rolling back.\n"


async def _log_out(_: Session, __: Args) -> str:
    raise LoggedOut


async def _commit(session: Session, _: Args) -> str:
    return session.commit()


async def _commit_trial(session: Session, args: Args) -> str:
    seconds = int(args[0]) if args and args[0].isdecimal() else 600
    return session.commit(trial_s=seconds) if seconds in _TRIAL_S else "Error: Wrong parameter found.\n"


async def _abort_trial(session: Session, _: Args) -> str:
    if session.router.trial is None:
        return "Error: No configuration is on trial.\n"
    session.router.abort_trial()
    session.enter()
    return ""


async def _clear(session: Session, _: Args) -> str:
    view = session.view
    session.enter()
    session.view = view
    return ""


async def _quit(session: Session, _: Args) -> str:
    if session.view is not None:
        session.view = None
        return ""
    return await _return(session, ())


async def _return(session: Session, _: Args) -> str:
    answer = (await session.terminal.ask(_UNCOMMITTED)).lower() if session.changed else "n"
    if answer.startswith("c"):
        return ""
    said = session.commit() if answer.startswith("y") else ""
    if not said:
        session.leave()
    return said


_USER: dict[str, Action] = {
    **display.COMMANDS,
    "quit": Do(_log_out),
    "reboot": Do(_reboot, 15),
    "rollback configuration last <word>": Do(_rollback, 15),
    "save": Do(_save, 15),
    "screen-length <word> temporary": Do(_screen_length),
    "system-view": Do(_system_view, 15),
}
_EVERY_VIEW: dict[str, Action] = {
    **display.COMMANDS,
    "abort trial": Do(_abort_trial, 15),
    "clear configuration candidate": Do(_clear, 15),
    "commit": Do(_commit, 15),
    "commit comment <line>": Do(_commit, 15),
    "commit trial": Do(_commit_trial, 15),
    "commit trial <word>": Do(_commit_trial, 15),
    "quit": Do(_quit, 15),
    "return": Do(_return, 15),
    "undo <line>": Do(edit.undo, 15),
}
_SECTIONS = "acl bgp isis ospf route-policy user-interface vlan"
_LINES = "clock dns ftp header info-center ip lldp ntp-service snmp-agent ssh stelnet telnet traffic"
_SYSTEM: dict[str, Action] = {
    **{f"{keyword} <line>": Line() for keyword in _LINES.split()},
    **{f"{keyword} <line>": Section(keyword) for keyword in _SECTIONS.split()},
    **_EVERY_VIEW,
    "aaa": Section("aaa"),
    "interface <line>": Do(edit.interface, 15),
    "sysname <word>": Line(1),
}
_BELOW: dict[str, Action] = {
    **{f"{keyword} <line>": Line() for keyword in ("authentication-mode", "local-user", "peer", "network", "rule")},
    **{f"{keyword} <line>": Line() for keyword in ("area", "if-match", "apply", "protocol", "port", "idle-timeout")},
    **_EVERY_VIEW,
    "description <line>": Line(1),
    "ip address <word> <word>": Do(edit.address, 15),
    "mtu <word>": Line(1),
    "shutdown": Line(),
}
_VIEWS: dict[str, Grammar[Action]] = {"user": Grammar(_USER), "system": Grammar(_SYSTEM), "view": Grammar(_BELOW)}
_MONITOR: Grammar[Action] = Grammar(
    {words: action for words, action in _USER.items() if isinstance(action, Do) and action.level <= 1}
)


def grammar(session: Session) -> Grammar[Action]:
    return _VIEWS[session.mode] if session.user.privilege >= 15 else _MONITOR


def parse(session: Session, line: str) -> Parsed[Action]:
    """Read a line in the current view or, as VRP does, in the system view, which then is current. Raises CliError."""
    try:
        return grammar(session).parse(line)
    except (Invalid, Incomplete):
        if session.view is None:
            raise
        wide = _VIEWS["system"].parse(line)
        session.view = None
        return wide
