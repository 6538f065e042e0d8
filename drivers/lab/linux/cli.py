"""The shell, put together: a session that takes lines, and the persona that opens them."""

import hmac

from drivers.lab.linux import commands, texts
from drivers.lab.linux.host import Host
from drivers.lab.linux.session import STATUS, Program, Result, Session
from drivers.lab.linux.words import Command, Pipeline, SyntaxProblem, expanded, parse
from drivers.lab.persona import LoggedOut, Rebooting
from drivers.lab.terminal import Terminal
from drivers.lab.users import User

_PROGRAMS: dict[str, Program] = {**commands.PROGRAMS, **texts.PROGRAMS}
_NOT_FOUND, _SYNTAX, _INTERRUPTED = 127, 2, 130
_SUDO_TRIES = 3


class LinuxCli(Session):
    """One session on a server (`persona.Cli`, and `Exits`)."""

    def greeting(self) -> str:
        return f"Linux {self.host.hostname} 6.1.0-lab x86_64\n\n"

    def prompt(self) -> str:
        place = f"~{self.folder[len(self.home) :]}" if not self.root and self._at_home() else self.folder
        return f"{self.who}@{self.name}:{place}{'#' if self.root else '$'} "

    def _at_home(self) -> bool:
        return self.folder == self.home or self.folder.startswith(f"{self.home}/")

    def help(self, text: str) -> str:  # noqa: ARG002 a shell gives none: `?` is a character like any other
        return self.prompt()

    async def run(self, line: str) -> None:
        try:
            pipelines = parse(expanded(line, self.variables()))
        except SyntaxProblem as problem:
            self.terminal.write(f"bash: {problem}\n")
            self.status = _SYNTAX
            return
        for pipeline in pipelines:
            if (pipeline.join == "&&" and self.status) or (pipeline.join == "||" and not self.status):
                continue
            await self._run_pipeline(pipeline)

    async def _run_pipeline(self, pipeline: Pipeline) -> None:
        given = ""
        for command in pipeline.commands:
            words = [word.replace(STATUS, str(self.status)) for word in command.words]
            result = await self._run_command(words, given)
            given, self.status = result.text, result.status
            if command.target is not None:
                given = self._redirect(command, result)
        await self.terminal.show(given)

    def _redirect(self, command: Command, result: Result) -> str:
        """Write to a file; return what cannot be hidden there."""
        if command.target == "/dev/null":
            return ""
        said = self.write(command.target or "", result.text, appends=command.appends)
        self.status = 1 if said else self.status
        return said

    async def _run_command(self, words: list[str], given: str) -> Result:
        name, *args = words
        name = name.removeprefix("/usr").removeprefix("/bin/")
        match name:
            case "exit" | "logout":
                return self._exit(args)
            case "sudo":
                return await self._sudo(args, given)
            case "reboot" if self.root:
                raise Rebooting
        program = _PROGRAMS.get(name)
        if program is None:
            return Result(f"bash: {name}: command not found\n", _NOT_FOUND)
        return await program(self, args, given)

    def _exit(self, args: list[str]) -> Result:
        self.status = int(args[0]) % 256 if args and args[0].isdecimal() else self.status
        if not self.root:
            raise LoggedOut
        self.root = False
        return Result("exit\n", self.status)

    async def _sudo(self, args: list[str], given: str) -> Result:
        options, words = args[: _leading(args)], args[_leading(args) :]
        if not (self.root or self.sudo or await self._authenticated(asks="-n" not in options)):
            return Result("sudo: a password is required\n" if "-n" in options else "", 1)
        before, self.root = self.root, True
        if {"-s", "-i"} & {*options} and not words:
            return Result()
        try:
            return await self._run_command(words, given) if words else Result("usage: sudo [-ns] command\n", 1)
        finally:
            self.root = before

    async def _authenticated(self, *, asks: bool) -> bool:
        """Ask for the user's own password, three times at most."""
        if self.user.privilege < 15:
            self.terminal.write(f"{self.user.name} is not in the sudoers file.\n")
            return False
        for left in range(_SUDO_TRIES if asks else 0, 0, -1):
            given = await self.terminal.ask(f"[sudo] password for {self.user.name}: ", echo=False)
            if hmac.compare_digest(given.encode(), self.user.password.encode()):
                self.sudo = True
                return True
            last = f"sudo: {_SUDO_TRIES} incorrect password attempts\n"
            self.terminal.write("Sorry, try again.\n" if left > 1 else last)
        return False

    async def interrupt(self, line: str, *, obey: bool) -> None:  # noqa: ARG002 a shell drops the line
        self.status = _INTERRUPTED

    def log_out(self) -> None:
        self.root = False


def _leading(args: list[str]) -> int:
    """How many options come before the command."""
    return next((at for at, arg in enumerate(args) if not arg.startswith("-")), len(args))


class Linux(Host):
    """The persona `linux`: one server."""

    ssh_version = "OpenSSH_9.2"

    def __init__(self, name: str, _secret: str) -> None:
        super().__init__(name)

    def log_in(self, terminal: Terminal, user: User) -> LinuxCli:
        return LinuxCli(self, terminal, user)
