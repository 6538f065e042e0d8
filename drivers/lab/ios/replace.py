"""`configure replace`: from the running configuration to that of a file, or back again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from drivers.lab.ios import archive, diffs, paths, replay, revert
from drivers.lab.ios.session import Args, Do, Session

_QUESTION = """\
This will apply all necessary additions and deletions
to replace the current running configuration with the
contents of the specified configuration file, which is
assumed to be a complete configuration, not a partial
configuration. Enter Y if you are sure you want to proceed. ? [no]: """
_PASSES = 5


@dataclass(frozen=True, slots=True)
class _Options:
    listed: bool = False
    forced: bool = False
    on_error: bool = False
    timed: bool = False

    @property
    def reverts(self) -> bool:
        return self.on_error or self.timed


async def _replace(options: _Options, session: Session, args: Args) -> None:
    router, path = session.router, args[0]
    try:
        content = paths.read(router, path)
    except paths.NoFile as missing:
        session.terminal.write(missing.text)
        return
    if not content.strip():
        session.terminal.write("The input file is not a valid config file.\n")
    elif options.reverts and not archive.enabled(router):
        session.terminal.write("%Please turn config archive on before using this feature.\n\n")
    elif (options.forced or await _sure(session)) and _clock_runs(options, session, args):
        await _apply(options, session, content)


async def _sure(session: Session) -> bool:
    return (await session.terminal.ask(_QUESTION)).lower().startswith("y")


def _clock_runs(options: _Options, session: Session, args: Args) -> bool:
    return not options.timed or revert.begin(session, args[1])


async def _apply(options: _Options, session: Session, content: bytes) -> None:
    router, write = session.router, session.terminal.write
    outcome = await replay.replaced(router, content, session.user)
    lines = [*diffs.commands(router.running, outcome.config)]
    if options.listed:
        write("!Pass 1\n\n!List of Rollback Commands:\n" + "".join(f"{line}\n" for line in lines) + "end\n\n\n")
    if outcome.refused:
        write(f"Rollback aborted after {_PASSES} passes\n")
        write("The following commands are failed to apply to the IOS image.\n########\n")
        write("".join(f"{line}\n" for line, _ in outcome.refused) + "########\n\n")
    if outcome.refused and options.on_error:
        write("Error: the original configuration has been successfully restored\n\n")
        if options.timed:
            router.settle()
        return
    if lines:
        router.running = outcome.config
        router.touch(session.user.name)
    if not outcome.refused:
        write(f"Total number of passes: {int(bool(lines))}\nRollback Done\n\n")


def _patterns() -> Iterator[tuple[str, Do]]:
    """Every form of the command."""
    endings = {
        "": _Options(),
        " revert trigger error": _Options(on_error=True),
        " revert trigger error timer <word>": _Options(on_error=True, timed=True),
        " revert trigger timer <word>": _Options(timed=True),
        " revert timer <word>": _Options(timed=True),
    }
    for listed, forced, case, (ending, options) in product(
        ("", " list"), ("", " force"), ("", " ignorecase"), endings.items()
    ):
        chosen = replace(options, listed=bool(listed), forced=bool(forced))
        yield f"configure replace <word>{listed}{forced}{case}{ending}", Do(partial(_replace, chosen), 15)


COMMANDS: dict[str, Do] = dict(_patterns())
