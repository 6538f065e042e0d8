"""Where one user stands on a router: view, candidate, terminal."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from drivers.lab.ios.config import Config
from drivers.lab.ios.keywords import Line, Section
from drivers.lab.terminal import Terminal
from drivers.lab.users import User
from drivers.lab.vrp.router import Router


class Session:
    """One login. `candidate` is what a commit would make of the configuration; None outside the system view."""

    def __init__(self, router: Router, terminal: Terminal, user: User) -> None:
        self.router, self.terminal, self.user = router, terminal, user
        self.candidate: Config | None = None
        self.base = router.running
        self.view: str | None = None  # the top-level line whose view this is

    @property
    def mode(self) -> str:
        return "user" if self.candidate is None else "view" if self.view else "system"

    @property
    def editing(self) -> Config:
        assert self.candidate is not None
        return self.candidate

    @property
    def changed(self) -> bool:
        return self.candidate is not None and self.candidate.blocks != self.base.blocks

    def prompt(self) -> str:
        if self.candidate is None:
            return f"<{self.router.hostname}>"
        where = "-".join((self.router.hostname, *self._place()))
        return f"[{'*' if self.changed else '~'}{where}]"

    def _place(self) -> list[str]:
        words = self.view.split() if self.view else []
        return words[1:] if words[:1] == ["interface"] else words

    def enter(self) -> None:
        """Go to the system view."""
        self.base, self.view = self.router.running, None
        self.candidate = self.base.copy()

    def leave(self) -> None:
        """Go to the user view; what was not committed is lost."""
        self.candidate, self.view = None, None

    def commit(self, *, trial_s: int | None = None) -> str:
        """Commit; return what is said if another's commit came between."""
        if not self.changed:
            self.router.confirm()
        elif self.router.running is not self.base:
            return "Error: Failed to generate committed config: another user has changed the configuration.\n"
        else:
            self.router.commit(self.editing, trial_s=trial_s)
        view = self.view
        self.enter()
        self.view = view
        return ""


Handler = Callable[[Session, tuple[str, ...]], Awaitable[str]]
"""Obeys a command; returns what it shows."""


@dataclass(frozen=True, slots=True)
class Do:
    """A command. `level` is the privilege it needs."""

    run: Handler
    level: int = 1


Action = Line | Section | Do
