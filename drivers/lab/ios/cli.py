"""The IOS command line, put together: a session that takes lines, and the persona that opens them."""

from drivers.lab.ios import configure, paths, revert
from drivers.lab.ios import exec as exec_mode
from drivers.lab.ios.grammar import CliError, Grammar
from drivers.lab.ios.router import Router
from drivers.lab.ios.session import Session
from drivers.lab.terminal import Terminal
from drivers.lab.users import User


class IosCli(Session):
    """One session on a router (`persona.Cli`)."""

    def greeting(self) -> str:
        text = self.router.running.value("banner motd").strip("^C").strip("\n")
        return f"\n{text}\n\n" if text else "\n"

    def help(self, text: str) -> str:
        grammar: Grammar[object] = configure.grammar(self) if self.config_mode else exec_mode.grammar(self)  # type: ignore[assignment]  # read only
        try:
            words = list(grammar.next_words(text))
        except CliError as error:
            return error.text(len(self.prompt())) + self.prompt()
        shown = "".join(f"  {word}\n" for word in words) or "% Unrecognized command\n"
        return shown + self.prompt()

    async def run(self, line: str) -> None:
        text = line.rstrip()
        if not text or text.lstrip().startswith("!"):
            return
        indent = len(self.prompt())
        self.history.append(text.strip())
        revert.touch(self)
        try:
            await self._obey(text)
        except CliError as error:
            self.terminal.write(error.text(indent))

    async def _obey(self, text: str) -> None:
        if self.config_mode:
            await configure.obey(self, text)
        else:
            await exec_mode.obey(self, text)

    async def interrupt(self, line: str, *, obey: bool) -> None:
        if obey and self.config_mode:
            await self.run(line)
        self.configure(None)

    def log_out(self) -> None:
        self.router.lines.pop(self.line, None)


class Ios(Router):
    """The persona `ios`: one router."""

    ssh_version = "Cisco-1.25"

    def log_in(self, terminal: Terminal, user: User) -> IosCli:
        return IosCli(self, terminal, user)

    def read_file(self, user: User, path: str) -> bytes:
        """A file for SCP (`scp.Files`). Raises OSError with IOS's words."""
        self._admit(user)
        try:
            return paths.read(self, path)
        except paths.NoFile as missing:
            raise OSError(missing.text.strip()) from None

    def write_file(self, user: User, path: str, content: bytes) -> None:
        self._admit(user)
        try:
            paths.write(self, path, content)
        except paths.NoFile as missing:
            raise OSError(missing.text.strip()) from None

    def room_for(self, user: User, path: str, size_bytes: int) -> None:
        self._admit(user)
        if size_bytes > self.flash.free_bytes:
            raise OSError(f"{path}: No space left on device")

    def _admit(self, user: User) -> None:
        if "ip scp server enable" not in self.running.blocks:
            raise PermissionError("Administratively disabled.")
        if user.privilege < 15:
            raise PermissionError("Privilege denied.")
