"""The NX-OS command line, put together: a session that takes lines, and the persona that opens them."""

from drivers.lab.ios import exec as ios
from drivers.lab.ios.cli import IosCli
from drivers.lab.ios.grammar import CliError, Grammar, Incomplete, Invalid
from drivers.lab.ios.keywords import GLOBAL_WORDS, Line, Section
from drivers.lab.ios.session import Args, Do, Session, Show
from drivers.lab.nxos import checkpoints, show
from drivers.lab.nxos.switch import Switch
from drivers.lab.terminal import Terminal
from drivers.lab.users import User

_GLOBAL = Grammar(
    {
        **GLOBAL_WORDS,
        "feature <word>": Line(),
        "password strength-check": Line(),
        "vrf context <word>": Section("config-vrf"),
    }
)
_SAVED = "[########################################] 100%\nCopy complete, now saving to disk (please wait)...\n"
_LIKE_IOS = (
    "configure", "configure terminal", "exit", "reload", "show clock", "show history", "show users",
    "terminal length <word>", "terminal width <word>", "terminal monitor", "terminal no monitor",
)  # fmt: skip


async def _save(session: Session, _: Args) -> None:
    session.router.save()
    session.terminal.write(_SAVED + "Copy complete.\n")


async def _nothing(_: Session, __: Args) -> None:
    """Accepted; everyone is as privileged as they will be."""


_COMMANDS: dict[str, Show | Do] = {
    **{pattern: ios.COMMANDS[pattern] for pattern in _LIKE_IOS},
    **show.COMMANDS,
    **checkpoints.COMMANDS,
    "copy running-config startup-config": Do(_save, 15),
    "enable": Do(_nothing),
}


_OPERATOR = Grammar({pattern: command for pattern, command in _COMMANDS.items() if command.level <= 1})
_ADMIN = Grammar(_COMMANDS)


class NxosError(CliError):
    """A line that NX-OS would not take; it always points."""

    def __init__(self, error: CliError, line: str) -> None:
        names: dict[type[CliError], str] = {Invalid: "Invalid", Incomplete: "Incomplete"}
        what = names.get(type(error), "Ambiguous")
        super().__init__(f"% {what} command at '^' marker.\n", len(line) if error.column is None else error.column)


class NxosCli(IosCli):
    """One session on a switch (`persona.Cli`). Commands to read work in configuration mode too."""

    global_words = _GLOBAL
    prefix_lengths = True

    def __init__(self, switch: Switch, terminal: Terminal, user: User) -> None:
        super().__init__(switch, terminal, user)
        self.exec_words = _ADMIN if self.privileged else _OPERATOR

    def prompt(self) -> str:
        mode = f"({self.config_mode})" if self.config_mode else ""
        return f"{self.router.hostname}{mode}# "

    async def _obey(self, text: str) -> None:
        try:
            if self.config_mode and await self._read(text):
                return
            await super()._obey(text)
        except CliError as error:
            raise NxosError(error, text) from None

    async def _read(self, text: str) -> bool:
        """Obey what is no configuration; say whether it was."""
        first = text.split()[0]
        if first not in ("sh", "sho", "show") and not first.startswith(("checkpoint", "copy", "rollback")):
            return False
        await ios.obey(self, text)
        return True


class Nxos(Switch):
    """The persona `nxos`: one switch."""

    ssh_version = "OpenSSH_8.0"

    def log_in(self, terminal: Terminal, user: User) -> NxosCli:
        return NxosCli(self, terminal, user)
