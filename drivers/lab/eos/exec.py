"""Exec mode: every command that is not configuration."""

from drivers.lab.eos.errors import DENIED, INCOMPATIBLE, Refused
from drivers.lab.eos.session import Args, Command, Do, Session, textual
from drivers.lab.eos.sessions import seconds_of
from drivers.lab.eos.show import SHOWS
from drivers.lab.eos.show_config import SHOWS as CONFIG_SHOWS
from drivers.lab.eos.show_interfaces import SHOWS as INTERFACE_SHOWS
from drivers.lab.eos.show_ports import SHOWS as PORT_SHOWS
from drivers.lab.ios.grammar import Grammar
from drivers.lab.persona import LoggedOut, Rebooting
from drivers.lab.terminal import Output

_SECRET_TRIES = 3
_COPIED = "Copy completed successfully.\n"


async def _enable(session: Session, _: Args) -> str:
    for _try in range(0 if session.privileged else _SECRET_TRIES):
        if session.switch.is_secret(await session.asker.ask("Password: ", echo=False)):
            session.privilege = 15
            break
        if session.terminal is None:
            break
    if not session.privileged:
        raise Refused("Bad secret", code=DENIED)
    return ""


async def _disable(session: Session, _: Args) -> str:
    session.privilege = 1
    return ""


async def _exit(session: Session, _: Args) -> str:
    if session.terminal is not None:
        raise LoggedOut
    return ""


async def _terminal_length(session: Session, args: Args) -> str:
    length = _size(args[0])
    if session.terminal is not None:
        session.terminal.length = length
    return f"Pagination set to {length} lines.\n" if length else "Pagination disabled.\n"


async def _terminal_width(session: Session, args: Args) -> str:
    width = _size(args[0])
    if session.terminal is not None:
        session.terminal.width = width
    return f"Width set to {width} columns.\n"


def _size(text: str) -> int:
    if not (text.isdecimal() and int(text) <= 32767):
        raise Refused("Invalid input")
    return int(text)


async def _nothing(_: Session, __: Args) -> str:
    """Accepted; it changes nothing here."""
    return ""


async def _configure(session: Session, _: Args) -> str:
    session.configure()
    return ""


async def _configure_session(session: Session, args: Args) -> str:
    session.configure(session.switch.sessions.enter(args[0] if args else None))
    return ""


async def _commit_session(session: Session, args: Args) -> str:
    sessions = session.switch.sessions
    sessions.commit(sessions.find(args[0]))
    return ""


async def _commit_session_for(session: Session, args: Args) -> str:
    sessions = session.switch.sessions
    sessions.commit_for(sessions.find(args[0]), seconds_of(args[1]))
    return ""


async def _abort_session(session: Session, args: Args) -> str:
    sessions = session.switch.sessions
    sessions.abort(sessions.find(args[0]))
    return ""


async def _replace(session: Session, args: Args) -> str:
    session.switch.replace(session.switch.read(args[0]))
    return ""


async def _save_checkpoint(session: Session, args: Args) -> str:
    session.switch.checkpoints[args[0]] = session.switch.running.copy()
    return ""


async def _restore_checkpoint(session: Session, args: Args) -> str:
    session.switch.replace(session.switch.read(f"checkpoint:{args[0]}"))
    return ""


async def _copy(session: Session, args: Args) -> str:
    session.switch.write(args[1], session.switch.read(args[0]))
    return _COPIED


async def _save(session: Session, _: Args) -> str:
    session.switch.save()
    return _COPIED


async def _erase(session: Session, _: Args) -> str:
    if await session.asker.confirm("Proceed with erasing startup configuration? [confirm]"):
        session.switch.startup = None
    return ""


async def _delete(session: Session, args: Args) -> str:
    session.switch.read(args[0])
    session.switch.files.pop(args[0].partition(":")[2].lstrip("/"), None)
    return ""


async def _reload(session: Session, _: Args) -> str:
    if session.switch.unsaved:
        answer = await session.asker.ask("System configuration has been modified. Save? [yes/no/cancel]:")
        if answer.lower().startswith("y"):
            session.switch.save()
        elif not answer.lower().startswith("n"):
            return ""
    if await session.asker.confirm("Proceed with reload? [confirm]"):
        raise Rebooting
    return ""


async def _reload_now(_: Session, __: Args) -> str:
    raise Rebooting


async def _shell(session: Session, _: Args) -> str:
    if session.terminal is None:
        raise Refused("Command not permitted via API access", code=INCOMPATIBLE)
    raise Refused("Not in the lab")


def _dir(session: Session, _: Args) -> Output:
    sizes = ((name, sum(len(line) + 1 for line in kept.lines())) for name, kept in session.switch.files.items())
    lines = [f"       -rw-  {size:>12}           {name}" for name, size in sizes]
    return "\n".join(["Directory of flash:/", "", *lines, "", "3957878784 bytes total (2948575232 bytes free)", ""])


def _more(session: Session, args: Args) -> Output:
    return "".join(f"{line}\n" for line in session.switch.read(args[0]).lines())


_COMMANDS: dict[str, Command] = {
    **SHOWS,
    **CONFIG_SHOWS,
    **INTERFACE_SHOWS,
    **PORT_SHOWS,
    "enable": Do(_enable),
    "disable": Do(_disable),
    "exit": Do(_exit),
    "logout": Do(_exit),
    "quit": Do(_exit),
    "terminal length <word>": Do(_terminal_length),
    "terminal width <word>": Do(_terminal_width),
    "terminal monitor": Do(_nothing, 15),
    "bash": Do(_shell, 15),
    "bash <line>": Do(_shell, 15),
    "clear counters": Do(_nothing, 15),
    "configure": Do(_configure, 15),
    "configure terminal": Do(_configure, 15),
    "configure checkpoint restore <word>": Do(_restore_checkpoint, 15),
    "configure checkpoint save <word>": Do(_save_checkpoint, 15),
    "configure replace <word>": Do(_replace, 15),
    "configure session": Do(_configure_session, 15),
    "configure session <word>": Do(_configure_session, 15),
    "configure session <word> abort": Do(_abort_session, 15),
    "configure session <word> commit": Do(_commit_session, 15),
    "configure session <word> commit timer <word>": Do(_commit_session_for, 15),
    "copy <word> <word>": Do(_copy, 15),
    "delete <word>": Do(_delete, 15),
    "dir": textual(_dir, 15),
    "dir <word>": textual(_dir, 15),
    "more <word>": textual(_more, 15),
    "no configure session <word>": Do(_abort_session, 15),
    "reload": Do(_reload, 15),
    "reload now": Do(_reload_now, 15),
    "write": Do(_save, 15),
    "write erase": Do(_erase, 15),
    "write memory": Do(_save, 15),
}
GRAMMAR: Grammar[Command] = Grammar(_COMMANDS)
