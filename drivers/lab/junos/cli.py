"""The JunOS command line, put together: a session that takes lines, and the persona that opens them."""

from drivers.lab.ios.grammar import Ambiguous, CliError, Grammar, Invalid, words_of
from drivers.lab.junos import configure, operational, pipes
from drivers.lab.junos.router import Router
from drivers.lab.junos.session import Handler, Session
from drivers.lab.terminal import Terminal
from drivers.lab.users import User


class JunosCli(Session):
    """One session on a router (`persona.Cli`)."""

    def greeting(self) -> str:
        return "--- JUNOS 21.4R3.15 (lab) built for simulation\n"

    def help(self, text: str) -> str:
        try:
            words = list(self._grammar().next_words(text))
        except CliError as error:
            return self._error(text, error) + self.prompt()
        return "Possible completions:\n" + "".join(f"  {word}\n" for word in words) + self.prompt()

    def _grammar(self) -> Grammar[Handler]:
        return configure.COMMANDS if self.configuring else operational.grammar(self)

    async def run(self, line: str) -> None:
        if not line.strip() or line.lstrip().startswith("#"):
            return
        indent = self.indent
        try:
            await self.terminal.show(await self._output(line))
        except CliError as error:
            self.terminal.write(self._error(line, error, indent))

    async def _output(self, line: str) -> str:
        command, filters = pipes.split(line) if _may_be_piped(line) else (line.rstrip(), [])
        parsed = self._grammar().parse(command)
        output = await parsed.action(self, parsed.args, filters)
        return pipes.filtered(output, filters)

    def _error(self, line: str, error: CliError, indent: int | None = None) -> str:
        """What JunOS says of a line that it cannot read, the caret under the word."""
        words = words_of(line)
        if isinstance(error, Ambiguous):
            return f"'{words[-1].text}' is ambiguous.\n"
        reached = len(line) if error.column is None else error.column
        word = next((w for w in words if w.column <= reached < w.column + len(w.text) + 1), words[-1])
        at = (self.indent if indent is None else indent) + word.column
        said = "unknown command." if isinstance(error, Invalid) and word is words[0] else "syntax error."
        return f"{' ' * at}^\n{said}\n"

    async def interrupt(self, line: str, *, obey: bool) -> None:
        """Ctrl-Z and Ctrl-C drop the line; JunOS leaves no mode by them."""

    def log_out(self) -> None:
        self.leave()


def _may_be_piped(line: str) -> bool:
    """A `|` in what is set is part of a value."""
    return line.lstrip().startswith(("sh", "run sh"))


class Junos(Router):
    """The persona `junos`: one router."""

    ssh_version = "OpenSSH_7.5"

    def __init__(self, name: str, _secret: str) -> None:
        super().__init__(name)

    def log_in(self, terminal: Terminal, user: User) -> JunosCli:
        return JunosCli(self, terminal, user)
