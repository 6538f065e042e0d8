"""Configuration mode."""

from drivers.lab.ios.grammar import Grammar
from drivers.lab.junos import operational
from drivers.lab.junos.router import CommitFailed
from drivers.lab.junos.session import Handler, Session
from drivers.lab.junos.statements import TOPS, Path, words

Args = tuple[str, ...]

_DEFAULT_MINUTES = 10
_MINUTES = range(1, 65_536)


def _path(session: Session, line: str) -> Path | None:
    """A path in full; None if there is no such statement."""
    path = (*session.edit, *words(line))
    return path if path[0] in TOPS and path[-1].count('"') != 1 else None


async def _set(session: Session, args: Args, _: list[str]) -> str:
    path = _path(session, args[0])
    if path is None or len(path) < 2:
        return "syntax error.\n"
    session.candidate.set(path)
    return ""


async def _delete(session: Session, args: Args, _: list[str]) -> str:
    path = _path(session, args[0])
    if path is None:
        return "syntax error.\n"
    return "" if session.candidate.delete(path) else "warning: statement not found\n"


async def _edit(session: Session, args: Args, _: list[str]) -> str:
    path = _path(session, args[0])
    if path is None:
        return "syntax error.\n"
    session.edit = path
    return ""


async def _up(session: Session, _: Args, __: list[str]) -> str:
    session.edit = session.edit[:-1]
    return ""


async def _top(session: Session, _: Args, __: list[str]) -> str:
    session.edit = ()
    return ""


async def _show(session: Session, args: Args, pipes: list[str]) -> str:
    below = (*session.edit, *(words(args[0]) if args else ()))
    if pipes and pipes[0].split(" ")[0] == "compare":
        return _compare(session, pipes.pop(0).split(" ")[1:])
    if pipes and pipes[0] == "display set":
        del pipes[0]
        return "".join(f"{line}\n" for line in session.candidate.set_lines(below))
    return session.candidate.text(below)


def _compare(session: Session, how: list[str]) -> str:
    """With the active configuration, or `rollback N`."""
    number = _history_number(session, how[1]) if len(how) == 2 and how[0] == "rollback" else 0 if not how else None
    if number is None:
        return "error: no such configuration\n"
    return session.candidate.compare(session.router.history[number].statements)


def _history_number(session: Session, text: str) -> int | None:
    return int(text) if text.isdecimal() and int(text) < len(session.router.history) else None


async def _rollback(session: Session, args: Args, _: list[str]) -> str:
    number = _history_number(session, args[0] if args else "0")
    if number is None:
        return f"error: rollback {args[0]} is not available\n"
    session.discard(session.router.history[number].statements)
    return "load complete\n"


async def _check(session: Session, _: Args, __: list[str]) -> str:
    try:
        session.router.check(session.merged())
    except CommitFailed as failed:
        return str(failed)
    session.router.confirm()
    return "configuration check succeeds\n"


async def _commit(session: Session, args: Args, _: list[str]) -> str:
    """`commit [confirmed [N]] [comment "…"] [and-quit]`."""
    options = list(words(args[0])) if args else []
    minutes, comment, quits = _options(options)
    if options or (minutes is not None and minutes not in _MINUTES):
        return "syntax error.\n"
    try:
        session.router.commit(session.merged(), session.user.name, comment=comment, minutes=minutes)
    except CommitFailed as failed:
        return str(failed)
    _committed(session, quits=quits)
    return _told(minutes) + "commit complete\n" + "Exiting configuration mode\n" * quits


def _options(words: list[str]) -> tuple[int | None, str, bool]:
    """Minutes, comment and whether to leave; takes what it understands off `words`."""
    minutes, comment, quits = None, "", False
    if words[:1] == ["confirmed"]:
        minutes = int(words[1]) if words[1:2] and words[1].isdecimal() else _DEFAULT_MINUTES
        del words[: 2 if words[1:2] and words[1].isdecimal() else 1]
    if words[:1] == ["comment"] and len(words) > 1:
        comment = words[1].strip('"')
        del words[:2]
    if words[:1] == ["and-quit"]:
        quits = True
        del words[0]
    return minutes, comment, quits


def _committed(session: Session, *, quits: bool) -> None:
    if session.private is not None:
        session.private, session.base = session.router.active.copy(), session.router.active
    else:
        session.router.candidate = session.router.active.copy()
    if quits:
        session.leave()


def _told(minutes: int | None) -> str:
    if minutes is None:
        return ""
    return f"commit confirmed will be automatically rolled back in {minutes} minutes unless confirmed\n"


async def _exit(session: Session, _: Args, __: list[str]) -> str:
    if session.edit:
        session.edit = session.edit[:-1]
        return ""
    return await _leave(session, (), [])


async def _leave(session: Session, _: Args, __: list[str]) -> str:
    question = "The configuration has been changed but not committed\nExit with uncommitted changes? [yes,no] (yes) "
    if session.changed and (await session.terminal.ask(question)).lower().startswith("n"):
        return ""
    session.leave()
    return "Exiting configuration mode\n"


async def _run(session: Session, args: Args, pipes: list[str]) -> str:
    parsed = operational.grammar(session).parse(args[0])
    return await parsed.action(session, parsed.args, pipes)


COMMANDS: Grammar[Handler] = Grammar(
    {
        "commit": _commit,
        "commit check": _check,
        "commit <line>": _commit,
        "delete <line>": _delete,
        "edit <line>": _edit,
        "exit": _exit,
        "exit configuration-mode": _leave,
        "quit": _exit,
        "rollback": _rollback,
        "rollback <word>": _rollback,
        "run <line>": _run,
        "set <line>": _set,
        "show": _show,
        "show <line>": _show,
        "top": _top,
        "up": _up,
    }
)
