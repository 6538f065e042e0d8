"""Where one user stands on a switch: privilege, mode, and whom to ask."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from drivers.lab.eos.config import Config, short_name
from drivers.lab.eos.sessions import Candidate
from drivers.lab.eos.switch import Switch
from drivers.lab.terminal import Output, Terminal
from drivers.lab.users import User

_SHOWN_OF_NAME = 6  # characters of a configuration session's name that the prompt has room for


class Asker(Protocol):
    """Answers what a command asks: a terminal, or the `input` of an eAPI command."""

    async def ask(self, question: str, *, echo: bool = True) -> str: ...

    async def confirm(self, question: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Place:
    """One step down in the configuration: the line below which one is, and its mode (a key of `keywords.BELOW`)."""

    line: str
    mode: str

    @property
    def label(self) -> str:
        """As the prompt has it: `if-Et1`, `router-bgp`, …"""
        words = self.line.split(" ")
        match self.mode:
            case "if":
                return f"if-{short_name(words[1])}"
            case "vlan" | "router":
                return f"{self.mode}-{words[1]}"
        return self.mode


class Session:
    """One login, or one eAPI request. `places` is None outside of configuration."""

    def __init__(self, switch: Switch, asker: Asker, user: User, terminal: Terminal | None = None) -> None:
        self.switch, self.asker, self.user, self.terminal = switch, asker, user, terminal
        self.privilege = user.privilege
        self.candidate: Candidate | None = None
        self.places: tuple[Place, ...] | None = None
        self.line = switch.take_line(self)

    @property
    def user_name(self) -> str:
        return self.user.name

    @property
    def privileged(self) -> bool:
        return self.privilege >= 15

    @property
    def mode(self) -> str:
        if self.places is None:
            return "exec" if self.privileged else "user"
        session = [f"s-{self.candidate.name[:_SHOWN_OF_NAME]}"] if self.candidate else []
        return "-".join(["config", *session, *(place.label for place in self.places[-1:])])

    def prompt(self) -> str:
        if self.places is not None:
            return f"{self.switch.hostname}({self.mode})#"
        return self.switch.hostname + ("#" if self.privileged else ">")

    @property
    def config(self) -> Config:
        """What configuration lines change."""
        return self.candidate.config if self.candidate else self.switch.running

    @property
    def block(self) -> Config:
        """The block in which one is."""
        return self.config.at([place.line for place in self.places or ()])

    def configure(self, candidate: Candidate | None = None) -> None:
        self.places, self.candidate = (), candidate

    def leave(self) -> None:
        """Back to exec mode; a configuration session stays as it is."""
        self.places = self.candidate = None

    def log_out(self) -> None:
        self.switch.lines.pop(self.line, None)


Args = tuple[str, ...]
Model = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command says: as JSON (None: it has no such form) and as text."""

    model: Model | None
    text: Output


@dataclass(frozen=True, slots=True)
class Show:
    """A command that only shows something: it can be filtered and paged. `level` is the privilege that it needs."""

    run: Callable[[Session, Args], Reply]
    level: int = 1


@dataclass(frozen=True, slots=True)
class Do:
    """A command that acts, or asks; it returns what it has to say."""

    run: Callable[[Session, Args], Awaitable[str]]
    level: int = 1


Command = Show | Do


def said(text: str) -> Reply:
    """A command's few words as a reply."""
    return Reply({"messages": text.splitlines()} if text else {}, text)


def modelled(model: Callable[[Session, Args], Model], render: Callable[[Model], Output], level: int = 1) -> Show:
    """A command that shows a model, as JSON or as the text that `render` makes of it."""

    def run(session: Session, args: Args) -> Reply:
        shown = model(session, args)
        return Reply(shown, render(shown))

    return Show(run, level)


def textual(run: Callable[[Session, Args], Output], level: int = 1) -> Show:
    """A command that shows text and nothing else."""
    return Show(lambda session, args: Reply(None, run(session, args)), level)
