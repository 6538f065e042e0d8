"""The VRP command line, put together: a session that takes lines, and the persona that opens them."""

from drivers.lab.ios.filters import parse_filter, split_pipe
from drivers.lab.ios.grammar import CliError, Incomplete, Invalid
from drivers.lab.terminal import Terminal
from drivers.lab.users import User
from drivers.lab.vrp import edit, views
from drivers.lab.vrp.router import Router
from drivers.lab.vrp.session import Do, Session

_WHAT: dict[type[CliError], str] = {Invalid: "Unrecognized", Incomplete: "Incomplete"}


class VrpCli(Session):
    """One session on a router (`persona.Cli`)."""

    def greeting(self) -> str:
        return "\nInfo: The max number of VTY users is 5, the number of current VTY users online is 1.\n"

    def help(self, text: str) -> str:
        try:
            words = list(views.grammar(self).next_words(text))
        except CliError as error:
            return _said(error, text, len(self.prompt())) + self.prompt()
        return "".join(f"  {word}\n" for word in words) + self.prompt()

    async def run(self, line: str) -> None:
        text = line.rstrip()
        if not text or text.lstrip().startswith("#"):
            return
        indent = len(self.prompt())
        try:
            await self.terminal.show(await self._output(text))
        except CliError as error:
            self.terminal.write(_said(error, text, indent))

    async def _output(self, text: str) -> str:
        command, pipe = split_pipe(text)
        parsed = views.parse(self, command)
        if not isinstance(parsed.action, Do):
            edit.keep(self, parsed)
            return ""
        chosen = parse_filter(text, pipe) if pipe is not None else None
        output = await parsed.action.run(self, parsed.args)
        return output if chosen is None else "".join(f"{line}\n" for line in chosen(output.splitlines()))

    async def interrupt(self, line: str, *, obey: bool) -> None:  # noqa: ARG002 VRP drops what was typed
        """Ctrl-Z goes to the user view, Ctrl-C only drops the line."""
        if obey:
            await self.run("return")

    def log_out(self) -> None:
        self.leave()


def _said(error: CliError, line: str, indent: int) -> str:
    """What VRP says of a line; it always points."""
    column = _end(line) if error.column is None else error.column
    return f"{' ' * (indent + column)}^\nError: {_WHAT.get(type(error), 'Ambiguous')} command found at '^' position.\n"


def _end(line: str) -> int:
    """The column of the last character."""
    return len(line.rstrip()) - 1


class Vrp(Router):
    """The persona `vrp`: one router."""

    ssh_version = "HUAWEI-1.5"

    def __init__(self, name: str, _secret: str) -> None:
        super().__init__(name)

    def log_in(self, terminal: Terminal, user: User) -> VrpCli:
        return VrpCli(self, terminal, user)
