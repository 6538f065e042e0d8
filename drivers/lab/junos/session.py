"""Where one user stands on a router: mode, place in the configuration, terminal."""

from collections.abc import Awaitable, Callable

from drivers.lab.junos.router import Router
from drivers.lab.junos.statements import Path, Statements
from drivers.lab.terminal import Terminal
from drivers.lab.users import User


class Session:
    """One login. Configuring, `edit` is the path that statements are relative to; `private` an own candidate."""

    def __init__(self, router: Router, terminal: Terminal, user: User) -> None:
        self.router, self.terminal, self.user = router, terminal, user
        self.configuring = False
        self.edit: Path = ()
        self.private: Statements | None = None
        self.base = router.active  # what `private` began as

    @property
    def mode(self) -> str:
        return "configure" if self.configuring else "operational"

    def prompt(self) -> str:
        who = f"{self.user.name}@{self.router.hostname}"
        if self.configuring:
            return f"\n{' '.join(('[edit', *self.edit))}]\n{who}# "
        return f"{who}> "

    @property
    def indent(self) -> int:
        """The width of the prompt's last line."""
        return len(self.prompt().rpartition("\n")[2])

    @property
    def candidate(self) -> Statements:
        return self.router.candidate if self.private is None else self.private

    @property
    def changed(self) -> bool:
        """Whether the candidate holds what was not committed."""
        return self.candidate != (self.router.active if self.private is None else self.base)

    def enter(self, how: str) -> str:
        """Begin to configure, `shared`, `exclusive` or `private`; return what is said of it."""
        router = self.router
        if router.holder is not None:
            return "error: configuration database locked by another user, exclusive [edit]\n"
        if how != "shared" and router.candidate != router.active:
            return "error: shared configuration database modified\n"
        router.holder = self if how == "exclusive" else None
        self.private, self.base = router.active.copy() if how == "private" else None, router.active
        self.configuring, self.edit = True, ()
        changed = "The configuration has been changed but not committed\n" * (router.candidate != router.active)
        return "Entering configuration mode\n" + changed

    def leave(self) -> None:
        """Stop configuring. A shared candidate stays as it is; another is forgotten."""
        if self.router.holder is self:
            self.router.holder, self.router.candidate = None, self.router.active.copy()
        self.configuring, self.private, self.edit = False, None, ()

    def discard(self, statements: Statements) -> None:
        """Put `statements` in place of the candidate."""
        if self.private is None:
            self.router.candidate = statements.copy()
        else:
            self.private = statements.copy()

    def merged(self) -> Statements:
        """What a commit would make active: a private candidate's changes go on top of others' commits."""
        if self.private is None:
            return self.router.candidate
        result = self.router.active.copy()
        for path in self.base.paths.keys() - self.private.paths.keys():
            result.delete(path)
        for path in self.private.paths.keys() - self.base.paths.keys():
            result.set(path)
        return result


Handler = Callable[[Session, tuple[str, ...], list[str]], Awaitable[str]]
