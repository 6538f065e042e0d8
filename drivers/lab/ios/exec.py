"""User and privileged exec mode."""

from collections.abc import Iterator

from drivers.lab.ios import archive, files, replace, revert, show_ip
from drivers.lab.ios.filters import Filter, parse_filter, split_pipe
from drivers.lab.ios.grammar import Grammar
from drivers.lab.ios.session import Args, Do, Session, Show
from drivers.lab.ios.show import SHOWS
from drivers.lab.persona import LoggedOut, Rebooting
from drivers.lab.terminal import Output

_SECRET_TRIES = 3


async def obey(session: Session, line: str, start: int = 0) -> None:
    """Run one exec command, which begins at column `start`. Raises CliError."""
    command, pipe = split_pipe(line)
    parsed = grammar(session).parse(command, start)
    chosen = parse_filter(line, pipe) if pipe is not None else None
    if isinstance(parsed.action, Do):
        await parsed.action.run(session, parsed.args)
        return
    output = parsed.action.run(session, parsed.args)
    await session.terminal.show(output if chosen is None else _filtered(output, chosen))


def _filtered(output: Output, chosen: Filter) -> Iterator[str]:
    blocks = (output,) if isinstance(output, str) else output
    lines = (line for block in blocks for line in block.splitlines())
    return (line + "\n" for line in chosen(lines))


def grammar(session: Session) -> Grammar[Show | Do]:
    if session.exec_words is not None:
        return session.exec_words
    return _PRIVILEGED if session.privileged else _USER


async def _enable(session: Session, _: Args) -> None:
    if session.privileged:
        return
    for _try in range(_SECRET_TRIES):
        if session.router.is_secret(await session.terminal.ask("Password: ", echo=False)):
            session.privilege = 15
            return
    session.terminal.write("% Bad secrets\n\n")


async def _disable(session: Session, _: Args) -> None:
    session.privilege = 1


async def _exit(_: Session, __: Args) -> None:
    raise LoggedOut


async def _nothing(_: Session, __: Args) -> None:
    """Accepted; it changes nothing here."""


async def _terminal_length(session: Session, args: Args) -> None:
    await _set_size(session, "length", args[0])


async def _terminal_width(session: Session, args: Args) -> None:
    await _set_size(session, "width", args[0])


async def _set_size(session: Session, what: str, size: str) -> None:
    if size.isdecimal() and int(size) <= 512:
        setattr(session.terminal, what, int(size))
    else:
        indent = len(session.prompt()) + len(f"terminal {what} ")
        session.terminal.write(" " * indent + "^\n% Invalid input detected at '^' marker.\n\n")


async def _configure(session: Session, _: Args) -> None:
    await session.terminal.ask("Configuring from terminal, memory, or network [terminal]? ")
    await _configure_terminal(session, ())


async def _configure_terminal(session: Session, _: Args) -> None:
    session.enter_configuration()


async def _save(session: Session, _: Args) -> None:
    await files.save(session)


async def _erase(session: Session, _: Args) -> None:
    question = "Erasing the nvram filesystem will remove all configuration files! Continue? [confirm]"
    if await session.terminal.confirm(question):
        session.router.erase()
        session.terminal.write("[OK]\nErase of nvram: complete\n")


async def _reload(session: Session, _: Args) -> None:
    if session.router.unsaved and await _wants_to_save(session):
        await _save(session, ())
    if await session.terminal.confirm("Proceed with reload? [confirm]"):
        raise Rebooting


async def _wants_to_save(session: Session) -> bool:
    while True:
        answer = await session.terminal.ask("\nSystem configuration has been modified. Save? [yes/no]: ")
        if answer and ("yes".startswith(answer.lower()) or "no".startswith(answer.lower())):
            return answer.lower().startswith("y")
        session.terminal.write("% Please answer 'yes' or 'no'.\n")


COMMANDS: dict[str, Show | Do] = {
    **SHOWS,
    **archive.COMMANDS,
    **files.COMMANDS,
    **replace.COMMANDS,
    **revert.COMMANDS,
    **show_ip.COMMANDS,
    "enable": Do(_enable),
    "disable": Do(_disable),
    "exit": Do(_exit),
    "logout": Do(_exit),
    "quit": Do(_exit),
    "terminal length <word>": Do(_terminal_length),
    "terminal width <word>": Do(_terminal_width),
    "terminal monitor": Do(_nothing, 15),
    "terminal no monitor": Do(_nothing, 15),
    "clear counters": Do(_nothing, 15),
    "configure": Do(_configure, 15),
    "configure terminal": Do(_configure_terminal, 15),
    "reload": Do(_reload, 15),
    "write": Do(_save, 15),
    "write memory": Do(_save, 15),
    "write erase": Do(_erase, 15),
}
_PRIVILEGED = Grammar(COMMANDS)
_USER = Grammar({pattern: command for pattern, command in COMMANDS.items() if command.level <= 1})
