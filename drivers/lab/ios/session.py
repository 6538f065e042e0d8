"""Where one user stands on a router: privilege, mode, terminal."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from drivers.lab.ios.grammar import Grammar
from drivers.lab.ios.keywords import GLOBAL, Action
from drivers.lab.ios.router import Router
from drivers.lab.terminal import Output, Terminal
from drivers.lab.users import User

_HISTORY = 20


class Session:
    """One login. In configuration mode, `mode` is `config…` and `section` the top-level line that is being edited.

    A platform that resembles IOS has other words: `global_words` in configuration mode, `exec_words` outside it (None:
    IOS's own), or addresses with prefix lengths in place of masks.
    """

    global_words: Grammar[Action] = GLOBAL
    prefix_lengths = False
    exec_words: "Grammar[Show | Do] | None" = None

    def __init__(self, router: Router, terminal: Terminal, user: User) -> None:
        self.router, self.terminal, self.user = router, terminal, user
        self.privilege = user.privilege
        self.config_mode: str | None = None
        self.section: str | None = None
        self.history: deque[str] = deque(maxlen=_HISTORY)
        self.line = router.take_line(user.name)

    @property
    def privileged(self) -> bool:
        return self.privilege >= 15

    @property
    def mode(self) -> str:
        return self.config_mode or ("exec" if self.privileged else "user")

    def prompt(self) -> str:
        if self.config_mode:
            return f"{self.router.hostname}({self.config_mode})#"
        return self.router.hostname + ("#" if self.privileged else ">")

    def configure(self, mode: str | None = "config", section: str | None = None) -> None:
        """Go to a configuration mode; None leaves configuration."""
        self.config_mode, self.section = mode, section

    def enter_configuration(self) -> None:
        """`configure terminal`."""
        self.terminal.write("Enter configuration commands, one per line.  End with CNTL/Z.\n")
        self.configure()


Args = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Show:
    """A command that only shows something: it can be filtered and paged. `level` is the privilege it needs."""

    run: Callable[[Session, Args], Output]
    level: int = 1


@dataclass(frozen=True, slots=True)
class Do:
    """A command that acts, or asks."""

    run: Callable[[Session, Args], Awaitable[None]]
    level: int = 1
