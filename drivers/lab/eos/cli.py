"""The EOS command line, and the persona that opens it and answers eAPI."""

from drivers.lab.eapi.persona import ApiCall
from drivers.lab.eos import commands
from drivers.lab.eos.api import EosCall
from drivers.lab.eos.errors import Refused, refused
from drivers.lab.eos.exec import GRAMMAR
from drivers.lab.eos.reading import grammar
from drivers.lab.eos.session import Session
from drivers.lab.eos.switch import Switch
from drivers.lab.ios.grammar import CliError
from drivers.lab.persona import Rebooting
from drivers.lab.terminal import Terminal
from drivers.lab.users import User


class EosCli(Session):
    """One session on a switch (`persona.Cli`)."""

    def __init__(self, switch: Switch, terminal: Terminal, user: User) -> None:
        super().__init__(switch, terminal, user, terminal)
        self._screen = terminal

    def greeting(self) -> str:
        banner = next((top for top in self.switch.running.blocks if top.startswith("banner motd\n")), "")
        return "".join(f"{line}\n" for line in banner.split("\n")[1:-1])

    def help(self, text: str) -> str:
        try:
            words = set(GRAMMAR.next_words(text))
            if self.places is not None:
                words |= set(grammar(self).next_words(text))
        except CliError as error:
            return refused(text, error).on_terminal() + self.prompt()
        shown = "".join(f"  {word}\n" for word in sorted(words)) or "% Unrecognized command\n"
        return shown + self.prompt()

    async def run(self, line: str) -> None:
        text = line.strip()
        if not text or text.startswith("!"):
            return
        try:
            reply = await commands.obey(self, text)
        except Refused as refusal:
            self._screen.write(refusal.on_terminal())
            return
        except Rebooting:
            self._screen.write("\nThe system is going down for reboot NOW!\n")
            raise
        await self._screen.show(reply.text)

    async def interrupt(self, line: str, *, obey: bool) -> None:
        if obey and self.places is not None:
            await self.run(line)
        self.leave()


class Eos(Switch):
    """The persona `eos`: one switch."""

    ssh_version = "OpenSSH_8.7"

    def log_in(self, terminal: Terminal, user: User) -> EosCli:
        return EosCli(self, terminal, user)

    def call(self, user: User) -> ApiCall:
        return EosCall(self, user)
